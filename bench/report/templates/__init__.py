"""Templates, style and script of the report, as package files; style and script are inlined into each
page."""
