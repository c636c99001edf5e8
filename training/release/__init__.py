"""From feedback to a new model, which replaces the served one only if it is better."""
