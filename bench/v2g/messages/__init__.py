"""Message sets: one declaration each, from which grammar, classes, validation, XML and JSON are derived."""
