"""Interaction energies of complexes in the loss (theory eq 12b).

    w_int / n_complex sum soft([E(AB) - E(A) - E(B) - E_int^ref] / [1 + max(0, E_int^ref) / E_0])^2

The molecules stand as they do in the complex; the reference is counterpoise corrected, without
dispersion, as the model is. A hundredth of the energy of a bond needs a term of its own: total
energies do not show it. Where molecules collide a part of their repulsion is as good as a fraction
of a kcal/mol is at a minimum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.model.model import Model
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.dataset import Reference
from mlsemi.training.objective.force_matching import EnergyWalk
from mlsemi.training.objective.loss import LossWeights, soft_square
from mlsemi.units import HARTREE_EV

INTERACTION_WIDTH = 0.1 / HARTREE_EV
"""Errors beyond count linearly."""

REPULSION = 0.2 / HARTREE_EV
"""E_0, from which on errors of repulsive energies are relative."""


def interaction_loss(
    model: Model, records: Sequence[Reference], weights: LossWeights
) -> tuple[float, dict[str, np.ndarray]]:
    """Summed loss of the interaction energies of some complexes, and its gradient.

    Parameters
    ----------
    model : Model
    records : sequence of Reference
        With the energies of their molecules (:attr:`Reference.interaction_energy`).
    weights : LossWeights

    Returns
    -------
    loss (a.u.), gradients of all weights
    """
    parts = [[record.structure, *molecules_of(record)] for record in records]
    walk = EnergyWalk(model, [one for some in parts for one in some])
    ends = np.cumsum([len(some) for some in parts])[:-1]
    bars, loss = [], 0.0
    for record, own in zip(records, np.split(walk.energies, ends), strict=True):
        reference = record.interaction_energy
        assert reference is not None
        scale = 1.0 + max(0.0, reference) / REPULSION
        error = np.array([own[0] - own[1:].sum() - reference]) / scale
        value, bar = soft_square(error, INTERACTION_WIDTH)
        loss += weights.interaction * float(value[0])
        slope = weights.interaction * float(bar[0]) / scale
        bars += [slope, *[-slope] * (own.size - 1)]
    return loss, walk.gradient(bars)


def molecules_of(record: Reference) -> list[Structure]:
    """The molecules of a complex, each as it stands there."""
    assert record.fragments is not None
    assert record.fragment_charges is not None
    structure = record.structure
    return [
        Structure(structure.numbers[mine], structure.positions[mine], charge)
        for number, charge in enumerate(record.fragment_charges.tolist())
        for mine in [record.fragments == number]
    ]
