"""Features and energy of an atom as its own molecule makes them, whatever lies beside it.

The terms of the features and the energy once more, with weights of their own (``bonded.`` before
their names), on pairs that are connected: radial functions times u_ij of
``connection.py``. The energy of two molecules is then exactly the sum of
theirs, and what they do to each other is left to ``multipoles.py`` and
``contacts.py`` (theory section 14).

Where everything is connected, and the weights are those of the features of H (:func:`tied`), both
features are the same and are made once.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from mlsemi.model.terms.density import Density
from mlsemi.model.terms.energy import Energy
from mlsemi.model.terms.messages import Messages
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import EVERYTHING, Known, Term, Weight
from mlsemi.symmetry.layers import Gradients, Weights

PREFIX = "bonded."


class BondedRecord(NamedTuple):
    """Which pairs are connected, None where the features are those of H; what inner terms keep."""

    chosen: np.ndarray | None
    inner: tuple[Any, ...]


class Bonded(Term):
    """A prediction inside the prediction: ``out.bonded``; its energies are added."""

    serves = frozenset({"atom_energies", "multipoles"})

    @cached_property
    def parts(self) -> tuple[Term, ...]:
        """The inner terms."""
        return Density(self.form), Messages(self.form), Energy(self.form)

    def weights(self) -> dict[str, Weight]:
        """Those of features and energy, ``bonded.`` before each name."""
        return {
            PREFIX + name: weight for part in self.parts for name, weight in part.weights().items()
        }

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """As the inner terms do it."""
        own = dict(inside(weights))
        inner, _ = self._open(sample)
        for part in self.parts:
            part.fit(own, known, inner)
            part.forward(own, inner)
        weights.update({PREFIX + name: value for name, value in own.items()})

    def forward(self, weights: Weights, out: Prediction) -> BondedRecord:
        """Features and energies from connected pairs."""
        own = inside(weights)
        if self._alike(weights, out):
            inner, chosen = _with_features_of(out), None
            record: tuple[Any, ...] = (self.parts[-1].forward(own, inner),)
        else:
            inner, chosen = self._open(out)
            record = tuple(part.forward(own, inner) for part in self.parts)
        out.bonded = inner
        out.atom_energies += inner.atom_energies
        return BondedRecord(chosen, record)

    def _alike(self, weights: Weights, out: Prediction) -> bool:
        """Whether the features of H are made, and are those of the molecule alone."""
        return (
            out.invariants.size > 0
            and all(weights[PREFIX + name] is weights[name] for name in self._of_features)
            and bool(np.all(out.connection == 1.0))
        )

    @cached_property
    def _of_features(self) -> tuple[str, ...]:
        return tuple(name for part in self.parts[:-1] for name in part.weights())

    def _open(self, out: Prediction) -> tuple[Prediction, np.ndarray]:
        """An empty prediction on connected pairs, and which they are."""
        chosen = np.flatnonzero(out.connection)
        u = out.connection[chosen]
        basis, envelope = out.basis[chosen] * u[:, None], out.envelope[chosen] * u
        return Prediction.blank(out.pairs.part(chosen), basis, envelope), chosen

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: BondedRecord,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """Through the inner terms to their weights, the geometry and the connection."""
        chosen, inner = record.chosen, bar.bonded
        assert inner is not None
        assert out.bonded is not None
        inner.atom_energies = bar.atom_energies
        own, own_gradients = inside(weights), None if gradients is None else inside(gradients)
        parts = self.parts[-len(record.inner) :]
        for part, kept in zip(reversed(parts), reversed(record.inner), strict=True):
            part.adjoint(own, out.bonded, kept, inner, own_gradients)
        if chosen is None:
            bar.served |= EVERYTHING
            bar.density += inner.density
            bar.nodes += inner.nodes
            bar.invariants += inner.invariants
        if bar.geometry is None or inner.geometry is None:
            return
        if chosen is None:  # where all are connected, a small step changes nothing about it
            bar.geometry.sphere[:] += inner.geometry.sphere
            bar.geometry.basis[:] += inner.geometry.basis
            return
        u = out.connection[chosen]
        bar.geometry.sphere[chosen] += inner.geometry.sphere
        bar.geometry.basis[chosen] += inner.geometry.basis * u[:, None]
        bar.connection[chosen] += np.einsum("pn,pn->p", inner.geometry.basis, out.basis[chosen])


def inside(arrays: Weights) -> dict[str, np.ndarray]:
    """The arrays of the inner terms under their own names."""
    n = len(PREFIX)
    return {name[n:]: value for name, value in arrays.items() if name.startswith(PREFIX)}


def _with_features_of(out: Prediction) -> Prediction:
    """A prediction with the features of another one, and nothing said yet."""
    inner = Prediction.blank(out.pairs, out.basis, out.envelope)
    inner.density, inner.nodes, inner.invariants = out.density, out.nodes, out.invariants
    return inner


def tied(weights: Weights) -> dict[str, np.ndarray]:
    """The same weights; those of inner terms that equal the outer ones are the same arrays.

    Gradients of such a pair are then those of both together, under the outer name, where both
    features are made once.
    """
    out = dict(weights)
    for name, value in inside(weights).items():
        if name in out and np.array_equal(out[name], value):
            out[PREFIX + name] = out[name]
    return out
