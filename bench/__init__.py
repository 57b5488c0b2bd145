"""Plugbench: a hardware-in-the-loop test bench controller for EV chargers."""

__version__ = "0.1.0"
