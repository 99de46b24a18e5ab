"""Fewer features, or fewer samples: principal components, farthest points, CUR.

Scikit-matter's FPS and CUR make the same choices (compared: 100 and 300 of 2000 and 20 000 samples,
40 and 60 of 100 and 400 features). It holds scikit-learn to one minor release (0.4: >=1.8, <1.9),
takes the start of every program 0.8 s, and its CUR three to six times as long.
"""

from __future__ import annotations

import numpy as np

from mlsemi.symmetry.tensors import SCALAR, Irrep, Tensors

NEGLIGIBLE = 1e-12
"""Directions with less than this fraction of the variance are noise."""


def covariance(value: np.ndarray) -> np.ndarray:
    """(n_feature, n_feature) matrix sum_xm f_xmk f_xmk' / n_sample, invariant under rotations."""
    flat = value.reshape(-1, value.shape[2])
    return flat.T @ flat / value.shape[0]


def principal_maps(covariances: Tensors, n_keep: int) -> dict[Irrep, np.ndarray]:
    """Equivariant principal components: per irrep the leading eigenvectors of the covariance.

    All components m share one matrix, so the result transforms as the input does; the mean is not
    subtracted (Nigam, Pozdnyakov, Ceriotti, J. Chem. Phys. 153, 121101 (2020)). One factor for all
    irreps makes the mean square norm of the kept features one.

    Parameters
    ----------
    covariances : mapping
        Result of :func:`covariance` for every irrep.
    n_keep : int
        Components to keep per irrep.

    Returns
    -------
    dict
        Matrix (n_feature, n_kept) per irrep; irreps without any variance are left out.
    """
    kept, size = {}, 0.0
    total = sum(np.trace(matrix) for matrix in covariances.values())
    for irrep, matrix in covariances.items():
        values, vectors = np.linalg.eigh(matrix)
        chosen = np.flatnonzero(values > NEGLIGIBLE * total)[::-1][:n_keep]
        if chosen.size:
            kept[irrep] = vectors[:, chosen]
            size += float(values[chosen].sum())
    return scaled_together(kept, size)


def principal_components(x: np.ndarray, n_keep: int) -> np.ndarray:
    """(n_feature, n_keep) map to the leading components, each of unit mean square.

    Parameters
    ----------
    x : (n, 2l+1, n_feature) array
        All components m share the map, which keeps the symmetry.
    n_keep : int
        Missing components are zero.
    """
    matrix = covariance(x) / x.shape[1]
    found = principal_maps({SCALAR: matrix}, n_keep).get(SCALAR, np.zeros((x.shape[2], 0)))
    out = np.zeros((x.shape[2], n_keep))
    out[:, : found.shape[1]] = found / np.sqrt(np.einsum("qk,qp,pk->k", found, matrix, found))
    return out


def nystroem_map(kernel: np.ndarray, negligible: float) -> np.ndarray:
    """(n, n_kept) matrix U s^-1/2 of the kernel of some points, K = U s U^T.

    Rows of K_nM times it are features whose scalar products are K_nM K_MM^-1 K_Mn, the kernel seen
    from these points (Williams and Seeger, NIPS 13, 682 (2001)).

    Parameters
    ----------
    kernel : (n, n) array
        K_MM.
    negligible : float
        Eigenvalues below this fraction of the largest are left out.
    """
    values, vectors = np.linalg.eigh(kernel)
    kept = values > negligible * values[-1]
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def scaled_together(components: Tensors, size: float) -> dict[Irrep, np.ndarray]:
    """Components times one factor, which makes the mean square norm ``size`` of all features one.

    Parameters
    ----------
    components : mapping of Irrep to (n_feature, n_kept) array
    size : float
    """
    scale = 1.0 / np.sqrt(size or 1.0)
    return {irrep: np.ascontiguousarray(scale * u) for irrep, u in components.items()}


def root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric square root of a covariance: its rows lie as the features do in the dataset."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def farthest_points(x: np.ndarray, n: int, first: int | None = None, known: int = 0) -> np.ndarray:
    """Indices of ``n`` rows of ``x``, each the farthest from those before it.

    Parameters
    ----------
    x : (n_row, n_column) array
        Samples, or the :func:`root` of a covariance to choose features.
    n : int
    first : int, optional
        Row to start with; without it the longest.
    known : int
        So many rows at the head of ``x`` are there already and are not chosen; the first choice
        is then the row farthest from them.
    """
    norms = (x**2).sum(axis=1)
    start = int(np.argmax(norms)) if first is None else first
    chosen = list(range(known)) or [start]
    nearest = np.full(x.shape[0], np.inf)
    for done, last in enumerate(chosen, 1):
        nearest = np.minimum(nearest, norms - 2.0 * x @ x[last] + norms[last])
        nearest[last] = -np.inf
        if done == len(chosen) and done < min(n + known, x.shape[0]):
            chosen.append(int(np.argmax(nearest)))
    return np.array(chosen[known:])


def cur_columns(x: np.ndarray, n: int) -> np.ndarray:
    """Indices of ``n`` columns that span ``x`` well, one by one.

    The column with the largest weight in the leading right singular vector is taken, the others
    are orthogonalised to it, and so on (Imbalzano et al., J. Chem. Phys. 148, 241730 (2018)).

    Parameters
    ----------
    x : (n_row, n_column) array
    n : int
        Fewer are returned when the rest is linearly dependent.
    """
    gram = x.T @ x
    limit = NEGLIGIBLE * np.trace(gram)
    chosen: list[int] = []
    while len(chosen) < min(n, gram.shape[0]) and np.trace(gram) > limit:
        best = int(np.argmax(np.abs(_leading(gram))))
        chosen.append(best)
        gram = gram - np.outer(gram[:, best], gram[best]) / gram[best, best]
        gram[best] = gram[:, best] = 0.0
    return np.array(chosen, dtype=int)


def _leading(gram: np.ndarray) -> np.ndarray:
    """Eigenvector of the largest eigenvalue."""
    if gram.shape[0] < 20:
        return np.linalg.eigh(gram)[1][:, -1]
    from scipy.sparse.linalg import eigsh  # slow to import

    return eigsh(gram, k=1, v0=np.sqrt(np.maximum(np.diag(gram), 0.0)))[1][:, 0]
