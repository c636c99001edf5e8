"""What every run leaves: its record, checkpoints, complete files, pictures."""
