"""Forces as training targets: their loss, and its gradient without a second reverse walk.

The loss depends on the weights w through F = -dE/dR. With v = -dL/dF (theory eq 14),

    dL/dw = d/dw (v . dE/dR) = [grad_w E(R + h v) - grad_w E(R)] / h + O(h):

the reverse walk that gives forces also trains on them, at the price of one more geometry. The term
at R is part of the reverse walk that the other losses need there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlsemi.ground.adjoint import Cotangent, reverse
from mlsemi.ground.state import GroundState, ground_state
from mlsemi.model.model import Model, ModelRecord
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure

STEP = 1e-7
"""Largest displacement of an atom in the difference, bohr.

Random directions of three molecules in organic-1 differ from the derivative by 2e-3 of it at 1e-4
bohr, 2e-6 at 1e-7 and, by rounding, 6e-7 at 1e-8.
"""

ENERGY = frozenset({"atom_energies"})


def forces_of(
    model: Model,
    prediction: Prediction,
    record: ModelRecord,
    grounds: Sequence[GroundState],
    chosen: Sequence[int],
) -> list[np.ndarray]:
    """Forces (n_atom, 3) on the atoms of some structures of a pair list.

    Parameters
    ----------
    model : Model
    prediction, record
        Results of ``model.predict(pairs)``.
    grounds : sequence of GroundState
        One per structure.
    chosen : sequence of int
        Which structures.
    """
    bars = [Cotangent(energy=float(index in chosen)) for index in range(len(grounds))]
    _, gradient = reverse(
        model,
        prediction,
        record,
        grounds,
        bars,
        with_positions=True,
        with_weights=False,
    )
    assert gradient is not None
    parts = prediction.pairs.by_structure(-gradient)
    return [parts[index] for index in chosen]


def displaced(
    structure: Structure, forces_bar: np.ndarray, step: float = STEP
) -> tuple[Structure, float] | None:
    """The displaced geometry of the difference, and 1/h; none for a zero bar.

    dL/dw is 1/h times the gradient of the energy there, minus the same of the geometry itself.

    Parameters
    ----------
    structure : Structure
    forces_bar : (n_atom, 3) array
        dL/dF.
    step : float
        Largest displacement of an atom, bohr; every structure has its own h.
    """
    length = float(np.linalg.norm(forces_bar, axis=1).max())
    if not length:
        return None
    moved = structure.positions - step / length * forces_bar
    return replace(structure, positions=moved), length / step


def energy_gradient(
    model: Model, structures: Sequence[Structure], energies_bar: Sequence[float]
) -> dict[str, np.ndarray]:
    """Gradient of all weights from the cotangents of total energies alone."""
    return EnergyWalk(model, structures).gradient(energies_bar)


class EnergyWalk:
    """Total energies of some structures, and the walk back from them.

    Orbitals are asked for only where the energy needs them: with a band energy, a charge or
    unpaired electrons.

    Parameters
    ----------
    model : Model
    structures : sequence of Structure
    more : set of str
        What is read off the features beside the energies.
    """

    def __init__(
        self, model: Model, structures: Sequence[Structure], more: frozenset[str] = frozenset()
    ) -> None:
        self.model = model
        self.pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
        self.rows = [self.pairs.atoms_of(index) for index in range(len(structures))]
        self.grounds: list[GroundState] = []
        if model.form.band or any(map(has_response, structures)):
            self.prediction, self.record = model.predict(self.pairs)
            self.grounds = [ground_state(model, self.prediction, k) for k in range(len(structures))]
            self.energies = np.array([ground.energy for ground in self.grounds])
        else:
            self.prediction, self.record = model.predict(self.pairs, ENERGY | more)
            energies = self.prediction.atom_energies
            self.energies = np.array([energies[mine].sum() for mine in self.rows])

    def forces(self) -> list[np.ndarray]:
        """Forces (n_atom, 3) on the atoms of every structure."""
        if not self.grounds:
            slope = self.model.energy_slope(self.prediction, self.record)
            return self.pairs.by_structure(-slope)
        every = range(len(self.rows))
        return forces_of(self.model, self.prediction, self.record, self.grounds, every)

    def gradient(
        self, energies_bar: Sequence[float], more: PredictionBar | None = None
    ) -> dict[str, np.ndarray]:
        """Gradient of all weights.

        Parameters
        ----------
        energies_bar : sequence of float
            One per structure.
        more : PredictionBar, optional
            Of what else is read off the features, where no orbitals are asked for.
        """
        if self.grounds:
            cotangents = [Cotangent(energy=bar) for bar in energies_bar]
            grounds = self.grounds
            return reverse(self.model, self.prediction, self.record, grounds, cotangents)[0]
        atoms_bar = np.empty(self.pairs.n_atom)
        for mine, bar in zip(self.rows, energies_bar, strict=True):
            atoms_bar[mine] = bar
        given = replace(more or PredictionBar(), atom_energies=atoms_bar)
        return self.model.adjoint(self.prediction, self.record, given)[0]


def has_response(structure: Structure) -> bool:
    """Whether charge or spin changes the energy beyond the readout."""
    return structure.charge != 0 or structure.multiplicity != 1
