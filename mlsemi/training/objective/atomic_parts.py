"""Energies as sums over atoms, by least squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.molecule.structure import Structure


def atomic_parts(
    structures: Sequence[Structure], energies: Sequence[float] | np.ndarray, elements: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Energies as sums of one number per element, by least squares.

    Returns
    -------
    (n_element,) numbers, and what they leave of the energies.
    """
    counts = np.array([[np.sum(s.numbers == z) for z in elements] for s in structures])
    atoms = np.linalg.lstsq(counts, np.asarray(energies), rcond=None)[0]
    return atoms, energies - counts @ atoms
