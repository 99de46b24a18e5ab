"""What a result says beside its numbers of the ground state."""
