"""Atom-centered features: neighbour density rho_i^1 and its products rho_i^nu (theory eqs 2, 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlsemi.kernels.coupling import couple, couple_adjoint
from mlsemi.kernels.density import (
    density,
    density_adjoint,
    open_gates,
    open_gates_adjoint,
)
from mlsemi.model.terms.prediction import GeometryBar, Prediction, PredictionBar
from mlsemi.model.terms.term import Known, Term, Weight, drawn, faint
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.gates import mixed, mixed_adjoint
from mlsemi.symmetry.layers import (
    Gradients,
    Weights,
    linear_by_species,
    perceptron,
    perceptron_adjoint,
    root_mean_square,
    unit_scaled,
)
from mlsemi.symmetry.so3 import L_MAX, NATURAL_PATHS, CouplingTable, components

NU2_PATHS = ((0, 0, 0), (1, 1, 0), (2, 2, 0), (0, 1, 1), (1, 2, 1), (0, 2, 2), (1, 1, 2), (2, 2, 2))
_OFFSETS = (0, 1, 2, 3, 6, 9, 14, 19)
NU2 = CouplingTable.of(NU2_PATHS, _OFFSETS)


NU3_PATHS = NATURAL_PATHS
_NU3_OFFSETS = tuple(int(n) for n in np.cumsum([0, *(2 * l + 1 for _, _, l in NU3_PATHS[:-1])]))
NU3 = CouplingTable.of(NU3_PATHS, _NU3_OFFSETS)


def n_stacked(l: int, nu: int) -> int:
    """How many sets of channels of degree ``l`` the orders up to ``nu`` make."""
    paths = NU2_PATHS if nu == 2 else NU2_PATHS + NU3_PATHS
    return 1 + sum(out == l for _, _, out in paths)


class AtomRecord(NamedTuple):
    """Intermediates of :func:`atom_features` that its adjoint needs.

    ``places`` and ``rows`` are those of :func:`places_of`.
    ``inner`` is the factor of rho^3 that holds the lower orders, None when nu = 2.
    """

    places: np.ndarray
    rows: np.ndarray
    expansion: np.ndarray
    rho1: np.ndarray
    inner: np.ndarray | None
    stacked: list[np.ndarray]
    linear: np.ndarray
    perceptron: tuple[np.ndarray, np.ndarray]
    gate: np.ndarray


def _by_degree(
    products: np.ndarray, table: CouplingTable, offsets: Sequence[int]
) -> list[np.ndarray]:
    """Products of several paths as (n_atom, 2l+1, n_path * n_channel) per degree of the result."""
    out = []
    for degree in range(L_MAX + 1):
        places = [o for (_, _, l), o in zip(table.paths, offsets, strict=True) if l == degree]
        parts = [products[:, o : o + 2 * degree + 1] for o in places]
        out.append(np.concatenate(parts, axis=2))
    return out


def _by_degree_adjoint(
    parts_bar: Sequence[np.ndarray], table: CouplingTable, offsets: Sequence[int]
) -> np.ndarray:
    """Adjoint of :func:`_by_degree`."""
    n_channel = parts_bar[0].shape[2] // sum(l == 0 for _, _, l in table.paths)
    out = np.empty((parts_bar[0].shape[0], table.n_out, n_channel))
    taken = [0] * (L_MAX + 1)
    for (_, _, l), offset in zip(table.paths, offsets, strict=True):
        start = taken[l]
        out[:, offset : offset + 2 * l + 1] = parts_bar[l][:, :, start : start + n_channel]
        taken[l] += n_channel
    return out


def _side_by_side(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.concatenate(both, axis=2) for both in zip(first, second, strict=True)]


def expansion_of(pairs: PairList, basis: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n_atom, 9, n_place * n_radial) neighbour density (theory eq 2).

    Parameters
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
        Radial functions.
    places : (n_species,) int array
        Where the density of a species stands among those that are made.
    """
    neighbour = places[pairs.species[pairs.second]]
    n_place = int(places.max()) + 1
    out: np.ndarray = density(pairs.first, neighbour, basis, pairs.sphere, pairs.n_atom, n_place)
    return out


def places_of(pairs: PairList, n_radial: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the species that there are, and the rows of ``density.l`` that read them.

    How many other elements a model knows costs nothing then, and changes no bit.
    """
    present = np.array([species for species, _ in pairs.groups])
    places = np.zeros(pairs.n_species, dtype=np.int64)
    places[present] = np.arange(present.size)
    return places, (present[:, None] * n_radial + np.arange(n_radial)).ravel()


def atom_features(
    pairs: PairList, basis: np.ndarray, weights: Weights
) -> tuple[np.ndarray, AtomRecord]:
    """Equivariant atom features of body orders up to nu + 1, mixed by species and gated.

    rho_i^1 (eq 2) with species and radial channels mixed into K learned channels, rho_i^2 channel
    by channel (eq 3), with weights ``triple`` also rho_i^3 as the products of rho_i^1 with a
    mixture of the lower orders, a linear map per species of the central atom, and gates from the
    scalars.

    Parameters
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
        Radial functions.
    weights : mapping
        ``density.l``, ``triple.l`` if nu = 3, ``atom.l``, ``atom.bias``, ``atom.gate.*``.

    Returns
    -------
    (n_atom, 9, n_channel) array and the record for the adjoint.
    """
    places, rows = places_of(pairs, basis.shape[1])
    expansion = expansion_of(pairs, basis, places)
    rho1 = np.concatenate(
        [expansion[:, components(l)] @ weights[f"density.{l}"][rows] for l in range(L_MAX + 1)],
        axis=1,
    )
    rho2 = couple(rho1, rho1, NU2.entries, NU2.coefficient, NU2.n_out)
    by_degree = [rho1[:, components(l)] for l in range(L_MAX + 1)]
    stacked = _side_by_side(by_degree, _by_degree(rho2, NU2, _OFFSETS))
    inner = None
    if "triple.0" in weights:
        inner = mixed(pairs, stacked, weights, "triple")
        rho3 = couple(inner, rho1, NU3.entries, NU3.coefficient, NU3.n_out)
        stacked = _side_by_side(stacked, _by_degree(rho3, NU3, _NU3_OFFSETS))
    linear = mixed(pairs, stacked, weights, "atom")
    gate, record = perceptron(linear[:, 0], pairs.species, weights, "atom.gate")
    features = open_gates(linear, gate)
    return features, AtomRecord(places, rows, expansion, rho1, inner, stacked, linear, record, gate)


def atom_features_adjoint(
    pairs: PairList,
    basis: np.ndarray,
    weights: Weights,
    record: AtomRecord,
    features_bar: np.ndarray,
    gradients: Gradients,
    geometry: GeometryBar | None,
) -> None:
    """Adjoint of :func:`atom_features`.

    Adds to ``gradients`` and, when given, to ``geometry``.
    """
    linear_bar, gate_bar = open_gates_adjoint(record.linear, record.gate, features_bar)
    linear_bar[:, 0] += perceptron_adjoint(
        record.linear[:, 0],
        pairs.species,
        weights,
        "atom.gate",
        record.perceptron,
        gate_bar,
        gradients,
    )
    stacked_bar = mixed_adjoint(pairs, record.stacked, weights, "atom", linear_bar, gradients)
    rho1_bar = _products_adjoint(pairs, weights, record, stacked_bar, gradients)
    expansion_bar = np.empty_like(record.expansion)
    for l in range(L_MAX + 1):
        span = components(l)
        if gradients is not None:
            flat = record.expansion[:, span].reshape(-1, record.expansion.shape[2])
            flat_bar = rho1_bar[:, span].reshape(-1, rho1_bar.shape[2])
            gradients[f"density.{l}"][record.rows] += flat.T @ flat_bar
        if geometry is not None:
            expansion_bar[:, span] = rho1_bar[:, span] @ weights[f"density.{l}"][record.rows].T
    if geometry is not None:
        density_adjoint(
            pairs.first,
            record.places[pairs.species[pairs.second]],
            basis,
            pairs.sphere,
            expansion_bar,
            geometry.basis,
            geometry.sphere,
        )


class Density(Term):
    """rho_i^1 to rho_i^nu of every atom, mixed and gated: :func:`atom_features`."""

    def weights(self) -> dict[str, Weight]:
        """``density.l``, ``atom.l``, ``atom.bias``, ``atom.gate.*``; ``triple.l`` if nu = 3."""
        form = self.form
        s, k, hidden = len(form.elements), form.n_channel, form.n_hidden
        out = {"atom.bias": Weight((s, k), drawn, decays=False)}
        for l in range(L_MAX + 1):
            out[f"density.{l}"] = Weight((s * form.n_radial, k), drawn)
            out[f"atom.{l}"] = Weight((s, n_stacked(l, form.nu) * k, k), drawn)
            if form.nu == 3:
                out[f"triple.{l}"] = Weight((s, n_stacked(l, 2) * k, k), drawn)
        return out | {
            "atom.gate.in": Weight((k, hidden), drawn),
            "atom.gate.bias": Weight((s, hidden), faint, decays=False),
            "atom.gate.out": Weight((hidden, 3 * k), faint),
        }

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Densities, products and inputs of the gate of unit variance."""
        pairs, basis = sample.pairs, sample.basis
        _, record = atom_features(pairs, basis, weights)
        for l in range(L_MAX + 1):
            weights[f"density.{l}"] /= root_mean_square(record.rho1[:, components(l)])
        if self.form.nu == 3:
            _, record = atom_features(pairs, basis, weights)
            assert record.inner is not None
            for l in range(L_MAX + 1):
                weights[f"triple.{l}"] /= root_mean_square(record.inner[:, components(l)])
        _, record = atom_features(pairs, basis, weights)
        for l, stacked in enumerate(record.stacked):
            mixture = linear_by_species(stacked, weights[f"atom.{l}"], pairs.groups)
            weights[f"atom.{l}"] /= root_mean_square(mixture)
        _, record = atom_features(pairs, basis, weights)
        weights["atom.gate.in"] = unit_scaled(record.linear[:, 0], weights["atom.gate.in"])

    def forward(self, weights: Weights, out: Prediction) -> AtomRecord:
        """Features of the atoms before their messages."""
        out.density, record = atom_features(out.pairs, out.basis, weights)
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: AtomRecord,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the weights and the geometry."""
        atom_features_adjoint(
            out.pairs, out.basis, weights, record, bar.density, gradients, bar.geometry
        )


def _products_adjoint(
    pairs: PairList,
    weights: Weights,
    record: AtomRecord,
    stacked_bar: list[np.ndarray],
    gradients: Gradients,
) -> np.ndarray:
    """rho1_bar from the cotangents of all orders side by side."""
    rho1 = record.rho1
    n_channel = rho1.shape[2]
    lower = [n_stacked(l, 2) * n_channel for l in range(L_MAX + 1)]
    rho1_bar = np.zeros_like(rho1)
    if record.inner is not None:
        rho3_bar = _by_degree_adjoint(
            [bar[:, :, n:] for bar, n in zip(stacked_bar, lower, strict=True)], NU3, _NU3_OFFSETS
        )
        inner_bar, rho1_bar = couple_adjoint(
            record.inner, rho1, NU3.entries, NU3.coefficient, rho3_bar
        )
        below = [x[:, :, :n] for x, n in zip(record.stacked, lower, strict=True)]
        from_inner = mixed_adjoint(pairs, below, weights, "triple", inner_bar, gradients)
        stacked_bar = [
            bar[:, :, :n] + more
            for bar, n, more in zip(stacked_bar, lower, from_inner, strict=True)
        ]
    rho1_bar += np.concatenate([bar[:, :, :n_channel] for bar in stacked_bar], axis=1)
    rho2_bar = _by_degree_adjoint([bar[:, :, n_channel:] for bar in stacked_bar], NU2, _OFFSETS)
    for part in couple_adjoint(rho1, rho1, NU2.entries, NU2.coefficient, rho2_bar):
        rho1_bar += part
    return rho1_bar
