"""Keeps: what users say of a result, recorded durably with consent, counted, and turned into training rows."""
