"""Contraction of a dataset's features to few per irrep, with an account of what is lost.

Principal components of all samples serve the many and can leave the few with nothing: an element
that is rare, or a parity that no sample shows. Here every label (the species of a sample) keeps at
least ``LEAST`` of its variance in every irrep, and an irrep without any variance keeps its first
features as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from mlsemi.errors import DomainWarning
from mlsemi.symmetry.selection import NEGLIGIBLE, covariance, scaled_together
from mlsemi.symmetry.tensors import Irrep, Maps, Tensors

BATCH = 256
"""Samples whose features are held at a time."""

NOTICED = 1e-6
"""Size of a feature, of features of unit mean square norm, that is no noise."""

LEAST = 0.1
"""Fraction of its variance that a label keeps at least; it gets components of its own for that."""

Kept = Mapping[Irrep, np.ndarray]
"""Fraction of the variance of each label that is kept, per irrep; nan where a label has none."""

Values = Callable[[np.ndarray], np.ndarray]
"""Rows of the samples -> their features (n_row, 2l+1, n_feature)."""


class Contraction(NamedTuple):
    """Maps to few features, and what they keep.

    Attributes
    ----------
    maps : mapping of Irrep to (n_feature, n_kept) array
    kept : mapping of Irrep to (n_label,) array
    """

    maps: Maps
    kept: Kept

    @classmethod
    def of(cls, tensors: Tensors, labels: np.ndarray, n_keep: int) -> Contraction:
        """Contraction of features that are there.

        Parameters
        ----------
        tensors : mapping of Irrep to (n_sample, 2l+1, n_feature) array
        labels : (n_sample,) int array
        n_keep : int
            Features per irrep, more where a label needs them.
        """
        features = {irrep: value.__getitem__ for irrep, value in tensors.items()}
        return cls.fit(features, labels, n_keep)

    @classmethod
    def fit(cls, features: Mapping[Irrep, Values], labels: np.ndarray, n_keep: int) -> Contraction:
        """Contraction of features that are computed a batch of samples at a time.

        Parameters
        ----------
        features : mapping of Irrep to callable
            Irreps that are zero in all samples keep features spread evenly over them.
        labels : (n_sample,) int array
            Not negative.
        n_keep : int
            Features per irrep, more where a label needs them.
        """
        n = labels.size
        covariances = {irrep: covariance_of(value, n) for irrep, value in features.items()}
        total = sum(float(np.trace(matrix)) for matrix in covariances.values())
        kept: dict[Irrep, np.ndarray] = {}
        shares: dict[Irrep, np.ndarray] = {}
        sizes: list[float] = []
        for irrep, matrix in covariances.items():
            values, vectors = np.linalg.eigh(matrix)
            chosen = np.flatnonzero(values > NEGLIGIBLE * total)[::-1][:n_keep]
            u = vectors[:, chosen]
            if chosen.size:
                u, shares[irrep] = _completed(u, features[irrep], labels)
                sizes.append(float(np.einsum("qk,qp,pk->", u, matrix, u)))
            else:
                u = np.eye(len(matrix))[:, :: -(-len(matrix) // n_keep)]
                shares[irrep] = np.full(labels.max(initial=0) + 1, np.nan)
            kept[irrep] = u
        return cls(scaled_together(kept, sum(sizes)), shares)


def covariance_of(values: Values, n_sample: int) -> np.ndarray:
    """Mean over the samples of sum_m f_mq f_mq'."""
    rows = np.arange(n_sample)
    parts = [rows[start : start + BATCH] for start in range(0, max(n_sample, 1), BATCH)]
    total = sum(covariance(values(part)) * (part.size / max(n_sample, 1)) for part in parts)
    return np.asarray(total)


def _completed(u: np.ndarray, values: Values, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Components with those that single labels need, and the fraction that each label keeps."""
    n_label = labels.max() + 1
    whole, seen = np.zeros(n_label), np.zeros(n_label)

    def count(components: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        inside = np.zeros(n_label)
        for start in range(0, labels.size, BATCH):
            rows = np.arange(start, min(start + BATCH, labels.size))
            value = values(rows)
            np.add.at(inside, labels[rows], np.sum((value @ components) ** 2, axis=(1, 2)))
            if out is not None:
                np.add.at(out, labels[rows], np.sum(value**2, axis=(1, 2)))
        return inside

    seen = count(u, whole)
    there = whole > NEGLIGIBLE * whole.max()
    for label in np.flatnonzero(there & (seen < LEAST * whole)):
        mine = np.flatnonzero(labels == label)
        matrix = covariance_of(lambda rows, mine=mine: values(mine[rows]), mine.size)  # type: ignore[misc]
        rest = np.eye(matrix.shape[0]) - u @ u.T
        spectrum, vectors = np.linalg.eigh(rest @ matrix @ rest)
        gained = np.cumsum(spectrum[::-1]) + np.einsum("qk,qp,pk->", u, matrix, u)
        n = 1 + int(np.searchsorted(gained, LEAST * np.trace(matrix)))
        u = np.concatenate([u, vectors[:, ::-1][:, :n]], axis=1)
        seen = count(u, None)
    with np.errstate(invalid="ignore", divide="ignore"):
        return u, np.where(there, seen / whole, np.nan)


def warn_of_unseen(tensors: Tensors, kept: Kept) -> None:
    """Warn, once, of features whose symmetry was zero in every sample of the fit.

    Parameters
    ----------
    tensors : mapping of Irrep to (n_sample, 2l+1, n_feature) array
    kept : mapping of Irrep to (n_label,) array
    """
    for irrep, share in kept.items():
        if np.isnan(share).all() and np.abs(tensors[irrep]).max(initial=0.0) > NOTICED:
            warnings.warn(
                f"features with l = {irrep.l}, sigma = {irrep.sigma:+d} were zero in all "
                "environments of the fit: no model has learned from them; fit to structures that "
                "show them",
                DomainWarning,
                stacklevel=2,
            )
