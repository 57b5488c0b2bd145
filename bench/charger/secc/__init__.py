"""The communication controller of the charger (SECC): SDP, TCP and TLS, protocol negotiation, ISO 15118-2."""
