"""Taught surfaces: the model itself learns what several parameter sets say together.

Energies and forces of many geometries by the mean of other sets
(:mod:`mlsemi.training.generators.teaching`) have the terms of theory eq 12 like those of the
reference, for the same readout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlsemi.model.model import Model
from mlsemi.model.pairs import PairList
from mlsemi.training.data.surfaces import Surface
from mlsemi.training.objective.auxiliary import energy_and_force_loss, with_forces
from mlsemi.training.objective.loss import LossWeights
from mlsemi.units import HARTREE_EV


@dataclass(frozen=True, eq=False)
class TaughtSet:
    """Surfaces of the mean of several sets in a training run.

    Attributes
    ----------
    kind : str
        What such sets are called in the header of a parameter set.
    name : str
        Of their file, as in the recipe.
    share : float
        Surfaces in a batch per record.
    weight : float
        Of their mean loss, beside that of the records.
    surfaces : list of Surface
    checksum : str
        sha256 of their file.
    """

    kind: ClassVar[str] = "taught"

    name: str
    share: float
    weight: float
    surfaces: list[Surface]
    checksum: str

    @property
    def molecules(self) -> list[str]:
        """Molecule of every surface."""
        return [surface.molecule for surface in self.surfaces]

    def start(self, model: Model) -> dict[str, np.ndarray]:
        """No weights of its own."""
        return {}

    def loss(
        self, model: Model, rows: Sequence[int], weights: LossWeights
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Summed loss of some surfaces (eV^2) and its gradient.

        Parameters
        ----------
        model : Model
        rows : sequence of int
            Which surfaces.
        weights : LossWeights
        """
        loss, gradients = taught_loss(model, [self.surfaces[k] for k in rows], weights)
        scale = self.weight * HARTREE_EV**2
        return scale * loss, {name: scale * value for name, value in gradients.items()}


def taught_loss(
    model: Model, surfaces: Sequence[Surface], weights: LossWeights
) -> tuple[float, dict[str, np.ndarray]]:
    """Summed loss of the energies and forces of some surfaces, and its gradient.

    Parameters
    ----------
    model : Model
        Whose energy is a readout of the features.
    surfaces : sequence of Surface
    weights : LossWeights

    Returns
    -------
    loss (a.u.), gradients of all weights
    """
    pairs = PairList.of([s.structure for s in surfaces], model.form.elements, model.form.cutoff)
    atom_energies, record = model.predict_energies(pairs)
    loss, energies_bar, beside = energy_and_force_loss(
        model, pairs, record, atom_energies, surfaces, weights
    )
    gradients = {name: np.zeros_like(value) for name, value in model.weights.items()}
    gradients |= model.adjoint(pairs, record, None, energies_bar, np.zeros((pairs.n_atom, 3)))[0]
    return loss, with_forces(model, beside, gradients)
