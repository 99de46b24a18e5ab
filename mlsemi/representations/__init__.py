"""Symmetry-adapted N-center features of atoms and pairs (theory eqs 2 to 4)."""
