"""The page: components, what each event does, and values as HTML."""
