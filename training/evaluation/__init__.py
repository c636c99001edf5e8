"""How good a model is: suites, metrics with intervals, and comparisons."""
