"""Errors of this room that are meant for a person."""


class FeedbackError(Exception):
    """One line that says what is wrong and what to do; shown as it is."""

    exit_code = 2  # bad input or settings
