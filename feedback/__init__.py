"""What users flag: recorded durably on this machine, counted, and turned into training rows."""
