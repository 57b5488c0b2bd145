"""The EV's side of DIN SPEC 70121 (DC, external payment): what differs from ISO 15118-2, and its table."""
