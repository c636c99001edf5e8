"""Makes: the embedded models, fine-tunes of any causal language model, and the figures of both."""
