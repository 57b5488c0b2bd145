"""The simulated rig: a world of copper, and the twins of the bench's instruments, each on its real wire.

`python -m drivers.simulated --ready-json` runs it as a process of its own. Nothing above the wire knows
that it is not hardware.
"""
