"""Algebra of harmonics and Clebsch-Gordan coefficients."""

from itertools import product

import numpy as np
import pytest
from harness import Move, random_directions, real_harmonics, wigner

from mlsemi.kernels.geometry import harmonics
from mlsemi.symmetry.so3 import L_MAX, CouplingTable, clebsch_gordan, components

DEGREES = range(L_MAX + 1)
PATHS = [
    (l1, l2, l) for l1, l2 in product(DEGREES, DEGREES) for l in range(abs(l1 - l2), l1 + l2 + 1)
]


def close(actual, expected, atol=1e-12):
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=atol)


def test_harmonics_against_scipy():
    u = random_directions(40, seed=1)
    ours = harmonics(u)
    assert ours.shape == (40, (L_MAX + 1) ** 2)
    for l in DEGREES:
        close(ours[:, components(l)], real_harmonics(l, u))


def test_degree_one_is_y_z_x():
    u = random_directions(5)
    close(harmonics(u)[:, components(1)], np.sqrt(3 / (4 * np.pi)) * u[:, [1, 2, 0]])


def test_addition_theorem():
    """sum_m Y_lm(u) Y_lm(v) = (2l + 1) / 4 pi P_l(u . v)."""
    u, v = random_directions(9, seed=1), random_directions(9, seed=2)
    cosine = (u * v).sum(axis=1)
    for l in DEGREES:
        product_ = (harmonics(u)[:, components(l)] * harmonics(v)[:, components(l)]).sum(axis=1)
        legendre = np.polynomial.legendre.legval(cosine, np.eye(L_MAX + 1)[l])
        close(product_, (2 * l + 1) / (4 * np.pi) * legendre)


def test_wigner_matrices_are_a_representation():
    a, b = (Move.random(3, seed, improper=seed == 1).rotation for seed in (0, 1))
    for l in DEGREES:
        close(wigner(l, a) @ wigner(l, a).T, np.eye(2 * l + 1))
        close(wigner(l, a @ b), wigner(l, a) @ wigner(l, b))


@pytest.mark.parametrize(("l1", "l2"), list(product(DEGREES, DEGREES)))
def test_orthogonal_and_complete(l1, l2):
    n = (2 * l1 + 1) * (2 * l2 + 1)
    degrees = range(abs(l1 - l2), l1 + l2 + 1)
    square = np.concatenate([clebsch_gordan(l1, l2, l).reshape(n, -1) for l in degrees], axis=1)
    close(square.T @ square, np.eye(n))
    close(square @ square.T, np.eye(n))


def test_outside_the_triangle_there_is_nothing():
    assert not clebsch_gordan(0, 0, 1).any()
    assert not clebsch_gordan(1, 0, 2).any()


@pytest.mark.parametrize(("l1", "l2", "l"), PATHS)
def test_coupled_harmonics_rotate(l1, l2, l):
    """C(Y(R u), Y(R v)) = det(R)^(l1 + l2 + l) D^l C(Y(u), Y(v))."""
    u, v = random_directions(6, seed=1), random_directions(6, seed=2)

    def coupled(a, b):
        return np.einsum(
            "mnc,xm,xn->xc",
            clebsch_gordan(l1, l2, l),
            real_harmonics(l1, a),
            real_harmonics(l2, b),
        )

    assert np.abs(coupled(u, v)).max() > 1e-2
    for seed in range(4):
        turn = Move.random(3, seed, improper=bool(seed % 2)).rotation
        sign = np.linalg.det(turn) ** (l1 + l2 + l)
        close(coupled(u @ turn.T, v @ turn.T), sign * coupled(u, v) @ wigner(l, turn).T)


@pytest.mark.parametrize(("l1", "l2", "l"), PATHS)
def test_exchange_of_the_factors(l1, l2, l):
    """C(l2, l1, l) is the transpose up to the sign (-1)^(l1 + l2 - l), kept for pseudo-tensors."""
    swapped = clebsch_gordan(l2, l1, l).transpose(1, 0, 2)
    close(swapped, (-1) ** (l1 + l2 - l) * clebsch_gordan(l1, l2, l))


def test_scalar_and_cross_products():
    close(np.abs(clebsch_gordan(1, 1, 0)[:, :, 0]), np.eye(3) / np.sqrt(3))
    a, b = np.random.default_rng(0).normal(size=(2, 5, 3))
    order = [1, 2, 0]
    ours = np.einsum("mnc,xm,xn->xc", clebsch_gordan(1, 1, 1), a[:, order], b[:, order])
    cross = np.cross(a, b)[:, order]
    factor = ours[0, 0] / cross[0, 0]
    assert abs(factor) == pytest.approx(1 / np.sqrt(2))
    close(ours, factor * cross)


def test_coupling_with_a_scalar_changes_nothing():
    for l in DEGREES:
        close(clebsch_gordan(l, 0, l)[:, 0], np.eye(2 * l + 1))
        close(clebsch_gordan(0, l, l)[0], np.eye(2 * l + 1))


def test_coupling_table_holds_every_coefficient():
    offsets = np.cumsum([0] + [2 * l + 1 for _, _, l in PATHS])
    table = CouplingTable.of(tuple(PATHS), tuple(offsets[:-1].tolist()))
    assert table.n_out == offsets[-1]
    dense = np.zeros((len(PATHS), (L_MAX + 1) ** 2, (L_MAX + 1) ** 2, table.n_out))
    for (m1, m2, o, p), c in zip(table.entries, table.coefficient, strict=True):
        dense[p, m1, m2, o] += c
    for p, (l1, l2, l) in enumerate(PATHS):
        expected = np.zeros_like(dense[p])
        span = slice(offsets[p], offsets[p] + 2 * l + 1)
        expected[components(l1), components(l2), span] = clebsch_gordan(l1, l2, l)
        close(dense[p], expected)
