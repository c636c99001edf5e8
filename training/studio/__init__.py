"""A page to fine-tune, compare and release from, and the commands that it runs."""
