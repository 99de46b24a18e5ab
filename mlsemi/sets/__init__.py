"""Parameter sets in files."""
