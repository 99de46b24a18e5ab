"""What a calculation takes of the machine."""
