"""Ions and open shells, and the loss of what constants of the response make of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlsemi.ground.state import constants_of, neutral_of
from mlsemi.model.model import Model
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.response import ATOMS, SHARED, Response
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals import eigen, observables
from mlsemi.parameters import Parameters
from mlsemi.response import difference_density
from mlsemi.response.difference_density import respond
from mlsemi.response.neutral import Neutral
from mlsemi.response.surroundings import Surroundings
from mlsemi.response.susceptibility import Susceptibility
from mlsemi.symmetry.layers import Weights
from mlsemi.training.data.dataset import Reference
from mlsemi.training.data.vertical import Vertical
from mlsemi.training.objective.loss import soft_square
from mlsemi.units import HARTREE_EV

WIDTH = 0.3 / HARTREE_EV
"""Errors of levels and energies beyond count linearly, hartree."""

CHARGE = 0.1
"""An error of a charge, e, that counts as much as one of 1 eV."""

FRONTIER = 0.15
"""Weight of HOMO and LUMO beside the mean of the occupied levels."""

OPEN = 2.0
"""Weight of an open shell beside that of an ion: there are fewer of them."""

ENERGY = 0.5
"""Weight of the energy of an open shell beside the mean of its levels."""


@dataclass(frozen=True, eq=False)
class Tabulated(Susceptibility):
    """Pi of charges as a matrix, where many potentials are asked for.

    Attributes
    ----------
    matrix : (n_atom, n_atom) array
    """

    matrix: np.ndarray

    def __call__(self, potential: np.ndarray) -> np.ndarray:
        """(n_atom, 4) charges that a potential without field induces; no dipoles."""
        out = np.zeros_like(potential)
        out[:, 0] = self.matrix @ potential[:, 0]
        return out


class Frozen(Neutral):
    """A neutral molecule with its Pi tabulated."""

    @cached_property
    def susceptibility(self) -> Susceptibility:
        """Pi of charges."""
        known = Susceptibility.of_state(self.moments, self.state, self.n_electron)
        n = self.moments.n_atom
        units = np.zeros((n, n, 4))
        units[np.arange(n), np.arange(n), 0] = 1.0
        matrix = np.stack([known(unit)[:, 0] for unit in units], axis=1)
        return Tabulated(known.moments, known.fillings, known.n_electron, matrix)


@dataclass(frozen=True, eq=False)
class Lesson:
    """One ion or open shell: what the model has of it once, and what it is compared with.

    Attributes
    ----------
    prediction : Prediction
    neutral : Frozen
    closed_energy : float
        Of the closed shell, without the response, hartree.
    levels : tuple of two arrays
        Alpha and beta levels, hartree; of closed shells all among alpha.
    weights : tuple of two arrays
        What their squared errors count.
    charges : (n_atom,) array or None
    change : float or None
        Energy less that of the neutral closed shell, hartree.
    energy : float or None
        Total energy, hartree.
    split : str
    """

    prediction: Prediction
    neutral: Frozen
    closed_energy: float
    levels: tuple[np.ndarray, np.ndarray]
    weights: tuple[np.ndarray, np.ndarray]
    charges: np.ndarray | None
    change: float | None
    energy: float | None
    split: str

    @property
    def structure(self) -> Structure:
        """With charge and multiplicity."""
        return self.prediction.pairs.structures[0]

    @property
    def rows(self) -> np.ndarray:
        """(n_atom,) rows of the prediction."""
        return self.prediction.pairs.atoms_of(0)

    def response(self, term: Response, weights: Weights) -> difference_density.Response:
        """What the constants of some weights make of it."""
        self.prediction.extra.clear()
        term.forward(weights, self.prediction)
        around = Surroundings().around(self.structure)
        constants = constants_of(self.prediction, 0)
        charge, multiplicity = self.structure.charge, self.structure.multiplicity
        return respond(self.neutral, around, charge, multiplicity, constants)

    def loss(self, term: Response, weights: Weights, gradients: dict[str, np.ndarray]) -> float:
        """Loss, eV^2; its gradient is added to those of the weights of the term."""
        own = self.response(term, weights)
        loss, matrices_bar = 0.0, np.zeros_like(own.changes)
        density_bar = None
        if self.charges is not None:
            density = 0.5 * (own.states[0].density + own.states[1].density)
            error = observables.lowdin_charges(self.structure, density) - self.charges
            loss += float(np.mean(error**2)) / CHARGE**2
            bar = 2.0 * error / (error.size * CHARGE**2)
            density_bar = 0.5 * observables.lowdin_charges_adjoint(self.structure, bar)
        sides = zip(own.states, self.levels, self.weights, strict=True)
        for spin, (state, levels, counts) in enumerate(sides):
            value, bar = soft_square(state.energies[: levels.size] - levels, WIDTH)
            loss += HARTREE_EV**2 * float(counts @ value)
            energies_bar = np.zeros_like(state.energies)
            energies_bar[: levels.size] = HARTREE_EV**2 * counts * bar
            matrices_bar[spin] = eigen.solve_adjoint(state, energies_bar, density_bar)
        of_rows, of_all = own.levels_adjoint(matrices_bar).rows
        if self.change is not None:
            value, bar = soft_square(np.array([own.energy - self.change]), WIDTH)
            count = OPEN * ENERGY * HARTREE_EV**2
            loss += count * float(value[0])
            by_rows, by_all = own.constants_slope.rows
            of_rows = of_rows + count * float(bar[0]) * by_rows
            of_all = of_all + count * float(bar[0]) * by_all
        of_atoms = np.empty_like(of_rows)
        of_atoms[self.rows] = of_rows
        given = PredictionBar(
            extra={ATOMS: of_atoms, SHARED: of_all},
            invariants=np.zeros_like(self.prediction.invariants),
        )
        term.adjoint(weights, self.prediction, None, given, gradients)
        return loss


def lessons_of(
    parameters: Parameters, ions: Sequence[Reference], opened: Sequence[Vertical]
) -> list[Lesson]:
    """Bound ions and open shells of the elements of a set, of more than one atom.

    Parameters
    ----------
    parameters : Parameters
    ions : sequence of Reference
        Neutral ones and anions without a bound highest electron are passed over.
    opened : sequence of Vertical
    """
    known, out = set(parameters.elements), []
    for record in ions:
        structure, n = record.structure, record.n_occupied
        bound = record.energies[n - 1] < 0.0
        if structure.charge and structure.n_atom > 1 and bound and set(structure.symbols) <= known:
            out.append(_of_ion(parameters.model, record))
    for one in opened:
        if set(one.structure.symbols) <= known:
            n = one.alpha.size + one.beta.size
            alpha = np.full(one.alpha.size, OPEN / n)
            alpha[-1] += OPEN * FRONTIER
            counts = alpha, np.full(one.beta.size, OPEN / n)
            levels = one.alpha, one.beta
            known_of = _known(parameters.model, one.structure)
            out.append(Lesson(*known_of, levels, counts, None, one.change, None, one.split))
    return out


def _of_ion(model: Model, record: Reference) -> Lesson:
    n, virtual = record.n_occupied, record.valence_virtuals
    counts = np.full(n + 1, 1.0 / n)
    counts[n - 1] += FRONTIER
    counts[n] = FRONTIER
    lowest = record.structure.charge > 0 and virtual.size > 0 and virtual[0] == n
    levels = record.energies[: n + lowest]
    sides = (levels, np.empty(0)), (counts[: n + lowest], np.empty(0))
    odd = record.energy if record.structure.of_odd_parent else None
    known = _known(model, record.structure)
    return Lesson(*known, *sides, record.charges, None, odd, record.split)


def _known(model: Model, structure: Structure) -> tuple[Prediction, Frozen, float]:
    pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
    prediction = model.predict(pairs)[0]
    found = neutral_of(prediction, 0)
    neutral = Frozen(
        found.structure, found.hamiltonian, found.state, found.atom_dipoles, found.moments
    )
    energy = float(prediction.atom_energies.sum())
    if model.form.band:
        energy += float(np.sum(found.density * found.hamiltonian))
    return prediction, neutral, energy
