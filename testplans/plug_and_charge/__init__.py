"""Plug & Charge: the cases of a charger that is to authorise cars by their contract certificate."""
