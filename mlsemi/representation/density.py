"""Atom-centered features: neighbour density rho_i^1 and its products rho_i^2 (theory eqs 2, 3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.coupling import couple, couple_adjoint
from mlsemi.kernels.density import density, density_adjoint
from mlsemi.layers import Gradients, Weights, perceptron, perceptron_adjoint
from mlsemi.pairs import PairList
from mlsemi.representation.gates import gated, gated_adjoint, mixed, mixed_adjoint
from mlsemi.so3 import L_MAX, CouplingTable, components

NU2_PATHS = ((0, 0, 0), (1, 1, 0), (2, 2, 0), (0, 1, 1), (1, 2, 1), (0, 2, 2), (1, 1, 2), (2, 2, 2))
_OFFSETS = (0, 1, 2, 3, 6, 9, 14, 19)
NU2 = CouplingTable.of(NU2_PATHS, _OFFSETS)


class AtomRecord(NamedTuple):
    """Intermediates of :func:`atom_features` that its adjoint needs."""

    expansion: np.ndarray
    rho1: np.ndarray
    stacked: list[np.ndarray]
    linear: np.ndarray
    gate: tuple[np.ndarray, np.ndarray]
    scale: np.ndarray


def stack_products(rho1: np.ndarray, rho2: np.ndarray) -> list[np.ndarray]:
    """rho^1 and all rho^2 of one degree side by side: per l, (n_atom, 2l+1, n_in)."""
    return [
        np.concatenate(
            [rho1[:, components(l)]]
            + [
                rho2[:, offset : offset + 2 * l + 1]
                for (_, _, l_out), offset in zip(NU2_PATHS, _OFFSETS, strict=True)
                if l_out == l
            ],
            axis=2,
        )
        for l in range(L_MAX + 1)
    ]


def _unstack(stacked_bar: list[np.ndarray], n_channel: int) -> tuple[np.ndarray, np.ndarray]:
    n_atom = stacked_bar[0].shape[0]
    rho1_bar = np.concatenate([part[:, :, :n_channel] for part in stacked_bar], axis=1)
    rho2_bar = np.empty((n_atom, NU2.n_out, n_channel))
    taken = [n_channel] * (L_MAX + 1)
    for (_, _, l), offset in zip(NU2_PATHS, _OFFSETS, strict=True):
        start = taken[l]
        rho2_bar[:, offset : offset + 2 * l + 1] = stacked_bar[l][:, :, start : start + n_channel]
        taken[l] += n_channel
    return rho1_bar, rho2_bar


def atom_features(
    pairs: PairList, basis: np.ndarray, weights: Weights
) -> tuple[np.ndarray, AtomRecord]:
    """Equivariant atom features of body orders up to three, mixed by species and gated.

    rho_i^1 (eq 2) with species and radial channels mixed into K learned channels, rho_i^2 channel
    by channel (eq 3), a linear map per species of the central atom, and gates from the scalars.

    Parameters
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
        Radial functions.
    weights : mapping
        ``density.l``, ``atom.l``, ``atom.bias``, ``atom.gate.*``.

    Returns
    -------
    (n_atom, 9, n_channel) array and the record for the adjoint.
    """
    expansion = density(
        pairs.first, pairs.species[pairs.second], basis, pairs.sphere, pairs.n_atom, pairs.n_species
    )
    rho1 = np.concatenate(
        [expansion[:, components(l)] @ weights[f"density.{l}"] for l in range(L_MAX + 1)], axis=1
    )
    rho2 = couple(rho1, rho1, NU2.entries, NU2.coefficient, NU2.n_out)
    stacked = stack_products(rho1, rho2)
    linear = mixed(pairs, stacked, weights, "atom")
    gate, record = perceptron(linear[:, 0], pairs.species, weights, "atom.gate")
    features, scale = gated(linear, gate)
    return features, AtomRecord(expansion, rho1, stacked, linear, record, scale)


def atom_features_adjoint(
    pairs: PairList,
    basis: np.ndarray,
    weights: Weights,
    record: AtomRecord,
    features_bar: np.ndarray,
    gradients: Gradients,
    geometry: tuple[np.ndarray, np.ndarray] | None,
) -> None:
    """Adjoint of :func:`atom_features`.

    Adds to ``gradients`` and, when ``geometry`` = (basis_bar, sphere_bar) is given, to those.
    """
    linear_bar, gate_bar = gated_adjoint(record.linear, record.scale, features_bar)
    linear_bar[:, 0] += perceptron_adjoint(
        record.linear[:, 0], pairs.species, weights, "atom.gate", record.gate, gate_bar, gradients
    )
    stacked_bar = mixed_adjoint(pairs, record.stacked, weights, "atom", linear_bar, gradients)
    rho1_bar, rho2_bar = _unstack(stacked_bar, record.rho1.shape[2])
    for part in couple_adjoint(record.rho1, record.rho1, NU2.entries, NU2.coefficient, rho2_bar):
        rho1_bar += part
    expansion_bar = np.empty_like(record.expansion)
    for l in range(L_MAX + 1):
        rows = components(l)
        flat = record.expansion[:, rows].reshape(-1, record.expansion.shape[2])
        flat_bar = rho1_bar[:, rows].reshape(-1, rho1_bar.shape[2])
        gradients[f"density.{l}"] += flat.T @ flat_bar
        if geometry is not None:
            expansion_bar[:, rows] = rho1_bar[:, rows] @ weights[f"density.{l}"].T
    if geometry is not None:
        density_adjoint(
            pairs.first,
            pairs.species[pairs.second],
            basis,
            pairs.sphere,
            expansion_bar,
            *geometry,
        )
