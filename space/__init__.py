"""The app: it serves what the other folders make."""

__version__ = "0.1.0.dev0"
