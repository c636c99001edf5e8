"""LoRA on pairs or preferences, the search for its options, and its speed."""
