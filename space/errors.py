"""Errors meant for the person at the screen or the shell."""


class UserError(Exception):
    """One line that says what is wrong and what to do; shown as it is, exit code 2."""
