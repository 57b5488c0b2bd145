"""The EV's side of ISO 15118-2: state, a builder and a handler a message, the table that joins them."""
