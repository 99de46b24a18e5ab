"""Rotations and inversions: harmonics, tensors sorted by symmetry, and their products."""
