"""Small encoders that measure: tone of a text, and what each word of it should become."""
