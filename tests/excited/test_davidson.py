"""Block Davidson on matrices made by hand: blocks that do not couple, levels of many members."""

import numpy as np
import pytest

from mlsemi.errors import ConvergenceError
from mlsemi.excited import davidson
from mlsemi.excited.davidson import converged_block, lowest_eigenpairs
from mlsemi.excited.subspace import orthonormal


class Identity:
    """Preconditioner that does nothing."""

    def __call__(self, residual, energies):
        return residual

    def definite(self, energy, kind):
        return lambda residual: residual


def test_davidson_drops_dependent_guesses():
    rng = np.random.default_rng(4)
    half, start = rng.normal(size=(30, 30)), rng.normal(size=(6, 30))
    matrix = half + half.T + np.diag(np.arange(30.0))
    start[3] = 2.0 * start[1] - start[0]
    options = (lambda x: x @ matrix, Identity(), start)
    values, vectors = lowest_eigenpairs(*options, 5, 1e-9)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix)[:5], atol=1e-12)
    np.testing.assert_allclose(vectors @ matrix, values[:, None] * vectors, atol=1e-8)
    with pytest.raises(ConvergenceError, match="only 5 independent guesses for 6"):
        lowest_eigenpairs(*options, 6, 1e-9)


class Blocks:
    """Blocks of a matrix that do not couple, and its products and inverses."""

    def __init__(self, n, copies, apart=0.0, seed=0):
        rng = np.random.default_rng(seed)
        half = 0.01 * rng.normal(size=(n, n))
        one = half + half.T + np.diag(np.linspace(0.2, 2.0, n))
        self.matrix = np.kron(np.diag(1.0 + apart * np.arange(copies)), one)
        self.diagonal = np.diag(self.matrix).copy()

    def apply(self, x):
        return x @ self.matrix.astype(x.dtype)

    def __call__(self, residual, energies):
        distance = self.diagonal - energies[:, None]
        return -residual / np.where(np.abs(distance) < 0.01, 0.01, distance)

    def definite(self, energy, kind):
        near = (1.0 / np.maximum(np.abs(self.diagonal - energy), 0.01)).astype(kind)
        return lambda residual: residual * near

    def start(self, n, n_row):
        """Within the last block, the highest one."""
        out = np.zeros((n_row, len(self.diagonal)))
        out[np.arange(n_row), len(self.diagonal) - n + np.arange(n_row)] = 1.0
        return out


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-5, 1e-3])
@pytest.mark.parametrize("copies", [2, 7])
def test_blocks_that_the_start_does_not_touch(copies, apart, kind):
    """Among equal blocks, and blocks that are nearly or less so, the start knows one alone."""
    n = 60
    blocks = Blocks(n, copies, apart)
    exact = np.linalg.eigvalsh(blocks.matrix)
    for n_root in (1, 3, 8, 15):
        start = blocks.start(n, n_root + 4).astype(kind)
        tolerance, allowed = (1e-6, 1e-8) if kind == np.float64 else (1e-4, 3e-6)
        first = converged_block(blocks.apply, blocks, start, n_root, tolerance)
        values, vectors = lowest_eigenpairs(blocks.apply, blocks, start, n_root, tolerance)
        np.testing.assert_allclose(values, exact[:n_root], atol=allowed)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(n_root), atol=2e-5)
        if n_root > 1:
            assert first.values[n_root - 1] > values[-1] + 1e-3
        again = lowest_eigenpairs(blocks.apply, blocks, start, n_root, tolerance)
        assert np.array_equal(again[1], vectors)


def test_all_roots_of_a_small_matrix():
    blocks = Blocks(6, 2)
    values, _ = lowest_eigenpairs(blocks.apply, blocks, np.eye(12), 12, 1e-9)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(blocks.matrix), atol=1e-12)


def test_missing_roots_are_an_error(monkeypatch):
    monkeypatch.setattr(davidson, "ATTEMPTS", 1)
    blocks = Blocks(60, 7)
    with pytest.raises(ConvergenceError, match="below the last of 3 are still missing"):
        lowest_eigenpairs(blocks.apply, blocks, blocks.start(60, 7), 3, 1e-6)


def test_single_precision_stays_orthonormal():
    """Vectors that lie mostly inside the basis, one block after the other."""
    rng = np.random.default_rng(2)
    basis = orthonormal(rng.normal(size=(8, 400)).astype(np.float32), np.empty((0, 400), "f4"))
    for _ in range(20):
        inside = rng.normal(size=(2, len(basis))) @ basis
        outside = 0.1 * np.linalg.norm(inside) / 20.0 * rng.normal(size=(2, 400))
        new = orthonormal((inside + outside).astype(np.float32), basis)
        basis = np.concatenate([basis, new])
    assert np.abs(basis @ basis.T - np.eye(len(basis))).max() < 1e-5
