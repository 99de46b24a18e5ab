"""What molecules do to each other."""
