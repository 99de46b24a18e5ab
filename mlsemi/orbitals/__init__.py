"""One Hamiltonian, its orbitals, their occupation, and what is observed of them."""
