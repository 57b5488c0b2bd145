"""HomePlug Green PHY messages and SLAC (ISO 15118-3): how a car finds the charger it is plugged into."""
