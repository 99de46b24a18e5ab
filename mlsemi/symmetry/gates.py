"""Maps between features of one degree that commute with rotations: mixing by species."""

from __future__ import annotations

import numpy as np

from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.layers import Gradients, Weights, linear_by_species, linear_by_species_adjoint
from mlsemi.symmetry.so3 import components


def mixed(pairs: PairList, stacked: list[np.ndarray], weights: Weights, name: str) -> np.ndarray:
    """Linear map per degree and species, with a bias on the scalars if there is one.

    Parameters
    ----------
    pairs : PairList
    stacked : list of (n_atom, 2l+1, n_in) arrays
        One per degree l.
    weights : mapping
        ``name.l`` (n_species, n_in, n_out) and perhaps ``name.bias`` (n_species, n_out).
    name : str

    Returns
    -------
    (n_atom, 9, n_out) array.
    """
    out = np.concatenate(
        [linear_by_species(x, weights[f"{name}.{l}"], pairs.groups) for l, x in enumerate(stacked)],
        axis=1,
    )
    if f"{name}.bias" in weights:
        out[:, 0] += weights[f"{name}.bias"][pairs.species]
    return out


def mixed_adjoint(
    pairs: PairList,
    stacked: list[np.ndarray],
    weights: Weights,
    name: str,
    out_bar: np.ndarray,
    gradients: Gradients,
) -> list[np.ndarray]:
    """Adjoint of :func:`mixed`: stacked_bar, one array per degree; adds to ``gradients``."""
    if gradients is not None and f"{name}.bias" in weights:
        for species, rows in pairs.groups:
            gradients[f"{name}.bias"][species] += out_bar[rows, 0].sum(axis=0)
    return [
        linear_by_species_adjoint(
            x,
            weights[f"{name}.{l}"],
            pairs.groups,
            out_bar[:, components(l)],
            None if gradients is None else gradients[f"{name}.{l}"],
        )
        for l, x in enumerate(stacked)
    ]
