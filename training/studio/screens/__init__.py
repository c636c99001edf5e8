"""A screen each: data, experiment, runs, search, comparison, release."""
