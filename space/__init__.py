"""Serves: the app, its page, its endpoints and its commands."""

__version__ = "0.1.0"
