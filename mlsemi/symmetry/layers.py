"""Learned maps that commute with rotations: linear maps by species, perceptrons on invariants.

Each map is followed by its adjoint, which returns the cotangent of its input and adds those of
its weights to the dictionary of gradients under the given names. Where there are no gradients to
add to (None), the weights are constants: forces ask for the cotangents of the inputs alone.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence

import numpy as np

from mlsemi.kernels.density import sigmoid_linear

Weights = Mapping[str, np.ndarray]
Gradients = MutableMapping[str, np.ndarray] | None
Groups = Sequence[tuple[int, slice]]


def linear_by_species(x: np.ndarray, weights: np.ndarray, groups: Groups) -> np.ndarray:
    """y[i, m, :] = x[i, m, :] @ W[species of i].

    Parameters
    ----------
    x : (n_atom, n_component, n_in) array
    weights : (n_species, n_in, n_out) array
    groups : sequence of (species, slice)
        Rows of each species.
    """
    out = np.empty((*x.shape[:2], weights.shape[2]))
    for species, rows in groups:
        block = x[rows]
        out[rows] = (block.reshape(-1, x.shape[2]) @ weights[species]).reshape(*block.shape[:2], -1)
    return out


def linear_by_species_adjoint(
    x: np.ndarray,
    weights: np.ndarray,
    groups: Groups,
    out_bar: np.ndarray,
    weights_bar: np.ndarray | None,
) -> np.ndarray:
    """Adjoint of :func:`linear_by_species`: x_bar; adds to ``weights_bar``."""
    x_bar = np.empty_like(x)
    for species, rows in groups:
        flat = out_bar[rows].reshape(-1, out_bar.shape[2])
        if weights_bar is not None:
            weights_bar[species] += x[rows].reshape(-1, x.shape[2]).T @ flat
        x_bar[rows] = (flat @ weights[species].T).reshape(x[rows].shape)
    return x_bar


def unit_scaled(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weights W for which x W has a mean square of one.

    Parameters
    ----------
    x : (..., n_in) array
    weights : (n_in, n_out) array
    """
    return weights / root_mean_square(x @ weights)


def root_mean_square(x: np.ndarray) -> float:
    """Of all elements."""
    return float(np.sqrt(np.mean(x * x)))


LOWEST = -700.0
"""Arguments below count as this in exp(-x), which would overflow; the sigmoid is 1e-304 there."""


def silu(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sigmoid linear unit x / (1 + exp(-x)) and its derivative, both (n, n_unit)."""
    both: tuple[np.ndarray, np.ndarray] = sigmoid_linear(x, np.exp(-np.maximum(x, LOWEST)))
    return both


def perceptron(
    x: np.ndarray, label: np.ndarray, weights: Weights, name: str
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """One hidden layer: silu(x W1 + b[label]) W2.

    Parameters
    ----------
    x : (n, n_in) array
        Invariants.
    label : (n,) int array
        Which bias row each sample takes (species, or species pair).
    weights : mapping
        ``name.in`` (n_in, n_hidden), ``name.bias`` (n_label, n_hidden), ``name.out``.
    name : str

    Returns
    -------
    (n, n_out) array, and the record (hidden, its slope) that the adjoint needs.
    """
    inner = x @ weights[f"{name}.in"]
    inner += weights[f"{name}.bias"][label]
    hidden, slope = silu(inner)
    return hidden @ weights[f"{name}.out"], (hidden, slope)


def perceptron_adjoint(
    x: np.ndarray,
    label: np.ndarray,
    weights: Weights,
    name: str,
    record: tuple[np.ndarray, np.ndarray],
    out_bar: np.ndarray,
    gradients: Gradients,
) -> np.ndarray:
    """Adjoint of :func:`perceptron`: x_bar; adds to ``gradients``."""
    hidden, slope = record
    inner_bar = (out_bar @ weights[f"{name}.out"].T) * slope
    if gradients is not None:
        gradients[f"{name}.out"] += hidden.T @ out_bar
        gradients[f"{name}.in"] += x.T @ inner_bar
        bias = gradients[f"{name}.bias"]
        for row in np.unique(label):
            bias[row] += inner_bar[label == row].sum(axis=0)
    return inner_bar @ weights[f"{name}.in"].T
