"""What charge, spin, fields and solvents do to the orbitals of the neutral molecule."""
