"""Excited states of the learned Hamiltonian: interaction, eigenproblems, intensities, character."""
