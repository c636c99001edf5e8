"""Serves: the app, its page, its endpoints and its commands."""

import os

__version__ = "0.1.0"

# Before numpy is imported. Its products here are small: threads of its own would save nothing and wait busily for the next one,
# in the time of the language model (of 154 words 0.2 s in 1.4).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
