"""The learned Hamiltonian: geometry -> features -> irreps of H, energies, charges, dipoles."""
