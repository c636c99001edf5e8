"""Long runs on corpora: the classifiers, and the small Llama under the language model."""
