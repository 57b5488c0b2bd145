"""SLAC: the cases of a charger that is to be found on its cable by ISO 15118-3 and joined to a network."""
