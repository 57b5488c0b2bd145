"""The EV's side of ISO 15118-2: state, one builder and one handler a message, and the table that joins them."""
