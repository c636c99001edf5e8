"""Ships: from a trained adapter to a GGUF that is checked against the model it was made from."""
