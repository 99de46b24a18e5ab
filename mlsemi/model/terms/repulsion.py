"""Repulsion of nuclei that come too close: a wall where no training data are (theory section 10).

    v_ij = Z_i Z_j / r  sum_k c_k exp(-d_k r / a_ij)  f(r / (SHARE (R_i + R_j))),
    a_ij = 0.8854 / (Z_i^0.23 + Z_j^0.23)

with the universal screening function of Ziegler, Biersack and Littmark (The Stopping and Range of
Ions in Solids, 1985), covalent radii R and the cutoff f of the radial functions. Bonds are longer
than its range; in training data only the most compressed triple bonds touch it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Term
from mlsemi.molecule.elements import covalent_radius
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.layers import Gradients, Weights

SHARE = 0.8
"""Range over the sum of the covalent radii: 0.86 angstrom for C-H, 1.22 for C-C."""

WEIGHT = np.array([0.18175, 0.50986, 0.28022, 0.02817])
DECAY = np.array([3.19980, 0.94229, 0.40290, 0.20162])
LENGTH, POWER = 0.8854, 0.23


class RepulsionRecord(NamedTuple):
    """Pairs within the range and the slopes dv/dr there, for the adjoint."""

    close: np.ndarray
    slope: np.ndarray


def repulsion(pairs: PairList, elements: Sequence[int]) -> tuple[np.ndarray, RepulsionRecord]:
    """Half of the repulsion with all others, per atom.

    Parameters
    ----------
    pairs : PairList
    elements : sequence of int
        Atomic number of each species.

    Returns
    -------
    (n_atom,) energies, hartree, and the record for the adjoint.
    """
    number = np.asarray(elements)
    radius = SHARE * covalent_radius(number)
    i, j = pairs.species[pairs.first], pairs.species[pairs.second]
    reach = radius[i] + radius[j]
    close = np.flatnonzero(pairs.distance < reach)
    if not close.size:
        return np.zeros(pairs.n_atom), RepulsionRecord(close, np.empty(0))
    value, slope = _screened(
        number[i[close]], number[j[close]], pairs.distance[close], reach[close]
    )
    energies = np.bincount(pairs.first[close], 0.5 * value, pairs.n_atom)
    return energies, RepulsionRecord(close, slope)


def repulsion_adjoint(
    pairs: PairList, record: RepulsionRecord, energies_bar: np.ndarray, distance_bar: np.ndarray
) -> None:
    """Adjoint of :func:`repulsion`; adds to ``distance_bar`` (n_pair,)."""
    distance_bar[record.close] += 0.5 * energies_bar[pairs.first[record.close]] * record.slope


def _screened(
    z_i: np.ndarray, z_j: np.ndarray, r: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Value and slope dv/dr of pairs within their range."""
    length = LENGTH / (z_i**POWER + z_j**POWER)
    decay = DECAY / length[:, None]
    terms = WEIGHT * np.exp(-decay * r[:, None])
    screening, slope = terms.sum(axis=1), -(decay * terms).sum(axis=1)
    bare = z_i * z_j / r
    x = r / reach
    envelope = 1.0 - 28.0 * x**6 + 48.0 * x**7 - 21.0 * x**8
    steepness = -168.0 * x**5 * (1.0 - x) ** 2 / reach
    value = bare * screening * envelope
    return value, bare * (envelope * (slope - screening / r) + screening * steepness)


class Repulsion(Term):
    """Half of the wall to all others on every atom; it has no weights."""

    serves = frozenset({"atom_energies"})

    def forward(self, weights: Weights, out: Prediction) -> RepulsionRecord:
        """Onto the energies."""
        energies, record = repulsion(out.pairs, self.form.elements)
        out.atom_energies += energies
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: RepulsionRecord,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the distances."""
        if bar.geometry is not None and bar.atom_energies is not None:
            repulsion_adjoint(out.pairs, record, bar.atom_energies, bar.geometry.distance)
