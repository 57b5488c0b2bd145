"""The communication controller of the charger (SECC): SDP, TCP and TLS, protocol negotiation, the V2G
protocols."""
