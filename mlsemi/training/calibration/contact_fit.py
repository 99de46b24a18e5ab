"""Matrices of contacts, fitted to interaction energies of complexes (theory eq 12b).

    mean_k soft([E_k - E_k^ref] / [1 + max(0, E_k^ref) / E_0])^2 + penalty |x - x_0|^2,
    E_k = E(complex) - sum E(molecules)

The molecules stand as they do in the complex; the reference is counterpoise corrected, without
dispersion, as the model is. Where molecules collide a part of their repulsion is as good as a
fraction of a kcal/mol at a minimum. Features and multipoles stay as they are: every complex has
them, and its overlaps, once, and the weights of the term alone follow by L-BFGS with the exact
gradient. Training them with all else, by steps of batches, leaves half as much error again, on
these complexes and on those of S22x5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from mlsemi.errors import InputError
from mlsemi.model.catalogue import start_of
from mlsemi.model.model import Model
from mlsemi.model.terms.intermolecular.contacts import ContactRecord, Contacts, Touching
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.symmetry.layers import Weights
from mlsemi.training.data.dataset import Reference, ReferenceDataset, split_of
from mlsemi.training.objective.loss import soft_square
from mlsemi.units import HARTREE_EV

WIDTH = 0.1 / HARTREE_EV
"""Errors beyond count linearly."""

REPULSION = 0.1 / HARTREE_EV
"""E_0, from which on errors of repulsive energies are relative."""

PENALTY = 1e-4
"""Of the square of what a weight changes, eV^2."""

STEPS = 250
"""Iterations at most."""

FIRST = 0.1
"""Length of the first step, before the curvature is known."""

UNIT = 0.01
"""Of energies in the minimisation, whose thresholds are absolute, eV."""

TOGETHER = 48
"""Complexes that are predicted at once."""


@dataclass(frozen=True, eq=False)
class Complexes:
    """Some complexes and their molecules, with all that the fit does not move.

    Attributes
    ----------
    term : Contacts
    out : Prediction
    touching : Touching or None
        None where no two atoms touch.
    number : (n_atom,) int array
        Of the complex that an atom belongs to, as part of it or of one of its molecules.
    sign : (n_atom,) array
        1 in the complex, -1 in its molecules.
    rest : (n,) array
        E - E_ref without contacts.
    scale : (n,) array
        What errors are divided by.
    """

    term: Contacts
    out: Prediction
    touching: Touching | None
    number: np.ndarray
    sign: np.ndarray
    rest: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, model: Model, records: Sequence[Reference]) -> Complexes:
        """Predicted with a model, whose contacts are taken out.

        Parameters
        ----------
        model : Model
        records : sequence of Reference
            With the energies of their molecules (:attr:`Reference.interaction_energy`).
        """
        term = next(term for term in model.terms if isinstance(term, Contacts))
        parts = [[record.structure, *molecules_of(record)] for record in records]
        structures = [one for some in parts for one in some]
        pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
        out, _ = model.predict(pairs, ("atom_energies",))
        number, sign = np.empty(pairs.n_atom, dtype=np.int64), np.empty(pairs.n_atom)
        index = 0
        for k, some in enumerate(parts):
            for side in (1.0, *[-1.0] * (len(some) - 1)):
                rows, index = pairs.atoms_of(index), index + 1
                number[rows], sign[rows] = k, side
        touching = term.touching(out)
        expected = np.array([record.interaction_energy for record in records])
        scale = 1.0 + np.maximum(0.0, expected) / REPULSION
        made = cls(term, out, touching, number, sign, -expected, scale)
        whole = made._sums(out.atom_energies)
        contacts = made._sums(made._contacts(model.weights)[0])
        return cls(term, out, touching, number, sign, whole - contacts - expected, scale)

    def __len__(self) -> int:
        return self.rest.size

    def errors(self, weights: Weights) -> np.ndarray:
        """(n,) errors of the interaction energies, hartree."""
        return self.rest + self._sums(self._contacts(weights)[0])

    def loss(self, weights: Weights, gradients: dict[str, np.ndarray]) -> float:
        """Sum over the complexes, hartree^2; its gradient is added to ``gradients``."""
        energies, record = self._contacts(weights)
        error = (self.rest + self._sums(energies)) / self.scale
        value, slope = soft_square(error, WIDTH)
        bar = PredictionBar(atom_energies=(slope / self.scale)[self.number] * self.sign)
        opened = bar.opened(self.out, with_positions=False)
        self.term.adjoint(weights, self.out, record, opened, gradients)
        return float(value.sum())

    def _contacts(self, weights: Weights) -> tuple[np.ndarray, ContactRecord | None]:
        """Energies of the term by atom, and its record."""
        self.out.atom_energies = np.zeros(self.number.size)
        if self.touching is None:
            return self.out.atom_energies, None
        record = self.term.add_energies(weights, self.out, self.touching)
        return self.out.atom_energies, record

    def _sums(self, energies: np.ndarray) -> np.ndarray:
        return np.bincount(self.number, self.sign * energies, len(self))


def with_fitted_contacts(
    parameters: Parameters,
    complexes: ReferenceDataset,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> Parameters:
    """The set with matrices of contacts that are fitted to the complexes.

    Parameters
    ----------
    parameters : Parameters
        Of a form with ``bonded``.
    complexes : ReferenceDataset
        Those of neutral molecules that are not kept for testing take part.
    report : callable
        Told the number of the iteration and the loss, eV^2.

    Raises
    ------
    InputError
        If the form has no contacts, or no complex is left.
    """
    known = parameters.model
    if not known.form.bonded:
        raise InputError("interaction energies: of a form with bonded = true")
    records = [record for record in complexes if _teaches(record, known.form.elements)]
    if not records:
        raise InputError("no complex of neutral molecules to fit contacts to")
    chunks = [
        Complexes.of(known, records[begin : begin + TOGETHER])
        for begin in range(0, len(records), TOGETHER)
    ]
    start = start_of(known.form, 0)
    first: dict[str, np.ndarray] = {name: start[name] for name in chunks[0].term.weights()}
    chunks[0].term.fit(first, None, chunks[0].out)
    weights = fitted_weights(chunks, first, report)
    errors = np.concatenate([one.errors(weights) for one in chunks]) * HARTREE_EV
    provenance = {
        "dataset_checksum": complexes.checksum,
        "complexes": len(records),
        "mean_error_ev": float(np.abs(errors).mean()),
    }
    model = Model(known.form, dict(known.weights) | weights)
    return parameters.with_fit("contact_fit", model, provenance)


def fitted_weights(
    chunks: Sequence[Complexes],
    first: Weights,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> dict[str, np.ndarray]:
    """Weights of the contacts with the smallest loss, penalty included.

    Parameters
    ----------
    chunks : sequence of Complexes
    first : mapping
        Weights to start from, towards which the penalty draws.
    report : callable
        As of :func:`with_fitted_contacts`.
    """
    names = list(first)
    ends = np.cumsum([first[name].size for name in names])
    n, done, last = sum(map(len, chunks)), 0, np.inf

    def at(x: np.ndarray) -> dict[str, np.ndarray]:
        parts = np.split(x, ends[:-1])
        return {
            name: first[name] + FIRST * part.reshape(first[name].shape)
            for name, part in zip(names, parts, strict=True)
        }

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal last
        weights = at(x)
        gradients = {name: np.zeros_like(value) for name, value in weights.items()}
        total = sum(one.loss(weights, gradients) for one in chunks) * HARTREE_EV**2 / n
        slope = np.concatenate([gradients[name].ravel() for name in names])
        penalty = PENALTY * FIRST**2
        slope = FIRST * HARTREE_EV**2 / n * slope + 2.0 * penalty * x
        last = total + penalty * float(x @ x)
        return last / UNIT**2, slope / UNIT**2

    def told(x: np.ndarray) -> None:
        nonlocal done
        done += 1
        if done % 10 == 0:  # a step ends where the loss was evaluated last
            report(done, last)

    found = minimize(
        loss,
        np.zeros(ends[-1]),
        jac=True,
        method="L-BFGS-B",
        callback=told,
        options={"maxiter": STEPS},
    )
    return at(found.x)


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


def _teaches(record: Reference, elements: Sequence[int]) -> bool:
    """Whether a record is a complex of neutral molecules of known elements, not for testing."""
    return (
        record.interaction_energy is not None
        and record.fragment_charges is not None
        and not np.any(record.fragment_charges)
        and set(record.structure.numbers.tolist()) <= set(elements)
        and split_of(record.molecule) != "test"
    )
