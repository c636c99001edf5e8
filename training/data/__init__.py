"""From corpora to pairs of wrong and right text."""
