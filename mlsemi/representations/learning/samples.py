"""Samples: features of several symmetries as one NumPy array that scikit-learn can split.

An estimator is given either one block (n_sample, 2l+1, n_feature), or a record array of length
n_sample with one field per irrep, named by :func:`label` (``"0+"``, ``"1+"``, ``"1-"``). Where a
target belongs to a structure and is a sum over its atoms, every field has an axis of atoms after
that of the samples; shorter structures are filled up with zeros, which add nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.errors import InputError
from mlsemi.symmetry.tensors import SCALAR, Irrep, Tensors

INVARIANTS = "invariants"
"""Field of invariants that are not the features of the samples themselves."""


def label(irrep: Irrep) -> str:
    """Field name of an irrep: its degree and the sign of sigma."""
    return f"{irrep.l}{'+' if irrep.sigma > 0 else '-'}"


def records(tensors: Tensors, invariants: np.ndarray | None = None) -> np.ndarray:
    """Record array of features that belong to the same samples.

    Parameters
    ----------
    tensors : mapping of Irrep to (n_sample, 2l+1, n_feature) array
        Or with an axis of atoms: (n_sample, n_atom, 2l+1, n_feature).
    invariants : (n_sample, 1, n_feature) array, optional
        What nonlinear estimators read, if it is not the features of ``0+``.

    Returns
    -------
    (n_sample,) record array.
    """
    named = {label(irrep): value for irrep, value in tensors.items()}
    if invariants is not None:
        named[INVARIANTS] = invariants
    (n_sample,) = {value.shape[0] for value in named.values()}
    fields = [(name, np.float64, value.shape[1:]) for name, value in named.items()]
    out = np.empty(n_sample, dtype=fields)
    for name, value in named.items():
        out[name] = value
    return out


def structure_records(
    tensors: Tensors, start: Sequence[int] | np.ndarray, species: np.ndarray | None = None
) -> np.ndarray:
    """Record array with one sample per structure from features of atoms.

    Parameters
    ----------
    tensors : mapping of Irrep to (n_atom, 2l+1, n_feature) array
        Atoms of all structures, one structure after the other.
    start : (n_structure + 1,) ints
        First atom of each structure.
    species : (n_atom,) int array, optional
        Gives the atoms of every element columns of their own, hence weights of their own.

    Returns
    -------
    (n_structure,) record array; fields (n_atom_max, 2l+1, n_feature), filled up with zeros.
    """
    start = np.asarray(start)
    sizes = np.diff(start)
    structure = np.repeat(np.arange(sizes.size), sizes)
    place = np.arange(start[-1]) - start[structure]
    padded = {}
    for irrep, value in tensors.items():
        own = value if species is None else _apart(value, species)
        padded[irrep] = np.zeros((sizes.size, sizes.max(), *own.shape[1:]))
        padded[irrep][structure, place] = own
    return records(padded)


def structure_records_adjoint(
    bar: np.ndarray, start: Sequence[int] | np.ndarray, species: np.ndarray | None = None
) -> dict[Irrep, np.ndarray]:
    """Adjoint of :func:`structure_records`: cotangents of the features of atoms.

    Arguments as there, ``bar`` that of the records.
    """
    start = np.asarray(start)
    structure = np.repeat(np.arange(start.size - 1), np.diff(start))
    place = np.arange(start[-1]) - start[structure]
    out = {}
    for name in bar.dtype.names or ():
        value = bar[name][structure, place]
        if species is not None:
            width = value.shape[2] // (species.max() + 1)
            columns = species[:, None] * width + np.arange(width)
            value = np.take_along_axis(value, columns[:, None], axis=2)
        out[Irrep(int(name[:-1]), 1 if name[-1] == "+" else -1)] = value
    return out


def _apart(value: np.ndarray, species: np.ndarray) -> np.ndarray:
    """(n_atom, 2l+1, n_species * n_feature): features in the columns of the atom's species."""
    width = value.shape[2]
    out = np.zeros((*value.shape[:2], (species.max() + 1) * width))
    columns = species[:, None] * width + np.arange(width)
    np.put_along_axis(out, np.broadcast_to(columns[:, None], value.shape), value, axis=2)
    return out


def block_of(x: np.ndarray, irrep: Irrep) -> np.ndarray:
    """Features of one irrep, of a record array or of an array that holds nothing else.

    Parameters
    ----------
    x : array
        See the head of this file.
    irrep : Irrep

    Returns
    -------
    (n_sample, n_atom, 2l+1, n_feature) array, with n_atom = 1 where samples are not structures.

    Raises
    ------
    InputError
        If the irrep is missing or the number of components is not 2l+1.
    """
    x = np.asarray(x)
    if x.dtype.names is not None:
        if label(irrep) not in x.dtype.names:
            raise InputError(f"no features of symmetry {label(irrep)} among {x.dtype.names}")
        x = x[label(irrep)]
    if x.ndim not in (3, 4) or x.shape[-2] != 2 * irrep.l + 1:
        raise InputError(
            f"features of symmetry {label(irrep)} have shape {x.shape}, "
            f"need (sample, {2 * irrep.l + 1}, feature)"
        )
    return np.asarray(x[:, None] if x.ndim == 3 else x, dtype=np.float64)


def invariants_of(x: np.ndarray) -> np.ndarray:
    """(n_sample, n_atom, n_feature) invariants: the field of that name, or those of ``0+``."""
    if INVARIANTS in (np.asarray(x).dtype.names or ()):
        x = x[INVARIANTS]
    return block_of(x, SCALAR)[:, :, 0]


def samples_bar(
    x: np.ndarray, irrep: Irrep, block_bar: np.ndarray, invariants_bar: np.ndarray | None = None
) -> np.ndarray:
    """Adjoint of :func:`block_of` and :func:`invariants_of`: cotangent of the samples, as ``x`` is.

    Parameters
    ----------
    x : (n_sample,) record array or (n_sample, ...) array
        Samples; what they hold is not used.
    irrep : Irrep
    block_bar : (n_sample, n_atom, 2l+1, n_feature) array
    invariants_bar : (n_sample, n_atom, n_feature) array, optional
    """
    x = np.asarray(x)
    if x.dtype.names is None:
        return block_bar.reshape(x.shape)
    out = np.zeros_like(x)
    out[label(irrep)] = block_bar.reshape(x[label(irrep)].shape)
    if invariants_bar is not None:
        name = INVARIANTS if INVARIANTS in x.dtype.names else label(SCALAR)
        out[name] += invariants_bar.reshape(x[name].shape)
    return out


def targets_of(y: np.ndarray, l: int) -> np.ndarray:
    """Targets as (n_sample, 2l+1, n_target) array.

    Parameters
    ----------
    y : (n_sample,), (n_sample, 2l+1) or (n_sample, 2l+1, n_target) array
        The first form is for scalars only.
    l : int

    Raises
    ------
    InputError
        If the number of components is not 2l+1.
    """
    y = np.asarray(y, dtype=np.float64)
    if y.ndim == 1:
        y = y[:, None]
    if y.ndim == 2:
        y = y[:, :, None]
    if y.ndim != 3 or y.shape[1] != 2 * l + 1:
        raise InputError(f"targets have shape {y.shape}, need (sample, {2 * l + 1}, target)")
    return y


def fit_r2(y: np.ndarray, predicted: np.ndarray, with_mean: bool) -> float:
    """1 - sum |y - predicted|^2 / sum |y - mean|^2, all components together.

    The mean is taken off scalars only: the mean of a tensor depends on how samples are turned.

    Parameters
    ----------
    y, predicted : (n_sample, 2l+1) arrays
    with_mean : bool
        Whether the mean is taken off.
    """
    rest = y - y.mean(axis=0) if with_mean else y
    return 1.0 - float(np.sum((y - predicted) ** 2) / np.sum(rest**2))
