"""The simulation-first emulator of the DigitalHub services platform."""

__version__ = "0.1.0"
