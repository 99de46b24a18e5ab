"""Gaussian multipoles summed over images."""

import naive
import numpy as np
import pytest
from crystals import PERIODIC, VECTORS
from harness import assert_adjoint

from mlsemi.kernels.multipoles import N_MOMENT
from mlsemi.lattice import multipoles
from mlsemi.lattice.cell import Cell
from mlsemi.lattice.multipoles import multipole_sum, multipole_sum_adjoint

N = 4


@pytest.fixture
def moments():
    out = np.random.default_rng(0).normal(size=(N, N_MOMENT))
    out[:, 0] -= out[:, 0].mean()
    out[:, [4, 7, 9]] -= out[:, [4, 7, 9]].mean(axis=1, keepdims=True)
    return out


@pytest.fixture
def positions():
    return np.random.default_rng(1).normal(scale=3.0, size=(N, 3))


@pytest.fixture
def squared():
    return np.random.default_rng(2).uniform(0.5, 2.0, N)


def direct(x, vectors, squared, moments, counts):
    """Energies by pairs, one after another, as far as an expanding row of whole cells goes."""
    energies = np.zeros(len(x))
    for translation in counts @ vectors:
        for i in range(len(x)):
            for j in range(len(x)):
                apart = x[j] + translation - x[i]
                if apart.any():
                    energies[i] += 0.5 * naive.interaction(
                        moments[i], moments[j], apart, squared[i] + squared[j]
                    )
    return energies


def test_a_chain_is_its_direct_sum(positions, squared, moments):
    """Sums as far as n cells fall off as n^-2: two of them tell the limit."""
    cell = Cell(VECTORS, PERIODIC["chain"])
    found = multipole_sum(positions, cell, squared, moments).sum()
    sums = []
    for most in (40, 80, 160):
        counts = np.zeros((2 * most + 1, 3))
        counts[:, 1] = np.arange(-most, most + 1)
        sums.append(direct(positions, cell.vectors, squared, moments, counts).sum())
    errors = np.array(sums) - found
    assert abs(errors[0]) > 1e-7
    np.testing.assert_allclose(errors[:-1] / errors[1:], 4.0, rtol=0.1)
    assert abs((4.0 * sums[2] - sums[1]) / 3.0 - found) < 1e-7


@pytest.mark.parametrize("kind", ["layer", "crystal"])
def test_a_cell_without_moments_is_its_direct_sum(kind, squared):
    """Charges and dipoles without a dipole and a quadrupole in sum: images die out quickly."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    moments = np.zeros((8, N_MOMENT))
    moments[:, 0] = 0.7 * corners.prod(axis=1)  # an octupole
    moments[:, 1:4] = 0.2 * np.cross(corners, [0.3, -0.2, 1.0])  # a vortex
    cell = Cell(9.0 * np.eye(3) + 0.3, PERIODIC[kind])
    widths = np.tile(squared, 2)
    found = multipole_sum(corners, cell, widths, moments).sum()
    sums = []
    for most in (1, 2):
        steps = [np.arange(-most, most + 1) if p else np.zeros(1) for p in cell.periodic]
        counts = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
        sums.append(direct(corners, cell.vectors, widths, moments, counts).sum())
    assert found == pytest.approx(sums[1], abs=3e-6)
    assert abs(sums[0] - found) > 1.5 * abs(sums[1] - found)


def test_dipoles_are_pairs_of_charges(positions, squared):
    """Dipoles by differences of charges, in cells of every kind, those across included."""
    rng = np.random.default_rng(4)
    moments = np.zeros((N, N_MOMENT))
    moments[:, 1:4] = rng.normal(size=(N, 3))
    charge = np.eye(N_MOMENT)[0]
    h = 1e-2
    for kind in PERIODIC:
        cell = Cell(VECTORS * 1.5, PERIODIC[kind])
        found = multipole_sum(positions, cell, squared, moments).sum()
        pairs = np.zeros((N, 2, N_MOMENT))
        pairs[:, 0, 0], pairs[:, 1, 0] = 1.0 / (2.0 * h), -1.0 / (2.0 * h)
        values = []
        for step in (h, 2.0 * h):
            x = np.stack(
                [positions + step * moments[:, 1:4], positions - step * moments[:, 1:4]], 1
            )
            charges = pairs * h / step
            both = multipole_sum(
                x.reshape(-1, 3), cell, np.repeat(squared, 2), charges.reshape(-1, N_MOMENT)
            ).sum()
            apart = 2.0 * step * np.linalg.norm(moments[:, 1:4], axis=1)
            own = sum(
                naive.interaction(charge, charge, np.array([0.0, 0.0, r]), 2.0 * s)
                for r, s in zip(apart, squared, strict=True)
            )
            values.append(both + own / (2.0 * step) ** 2)
        assert found == pytest.approx((4.0 * values[0] - values[1]) / 3.0, abs=1e-5)


@pytest.mark.parametrize("kind", PERIODIC)
def test_where_the_sum_is_split_does_not_matter(kind, positions, squared, moments, monkeypatch):
    cell = Cell(VECTORS * [[1.0], [1.0], [2.0]], PERIODIC[kind])
    expected = multipole_sum(positions, cell, squared, moments)
    for factor in (0.7, 1.4):
        split = {d: factor * value for d, value in multipoles.SPLIT.items()}
        with monkeypatch.context() as changed:
            changed.setattr(multipoles, "SPLIT", split)
            found = multipole_sum(positions, cell, squared, moments)
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("kind", PERIODIC)
def test_supercells_wrapped_atoms_and_other_orders(kind, positions, squared, moments):
    cell = Cell(VECTORS, PERIODIC[kind])
    expected = multipole_sum(positions, cell, squared, moments)
    steps = np.argwhere(np.ones((2, 2, 2)))
    steps = steps[(steps[:, ~cell.periodic] == 0).all(axis=1)]
    many = (positions[None] + (steps @ cell.vectors)[:, None]).reshape(-1, 3)
    n = len(steps)
    found = multipole_sum(
        many, Cell(2.0 * VECTORS, PERIODIC[kind]), np.tile(squared, n), np.tile(moments, (n, 1))
    )
    np.testing.assert_allclose(found, np.tile(expected, n), atol=1e-12)
    order = np.array([3, 1, 0, 2])
    images = np.random.default_rng(0).integers(-3, 4, (N, 3)) * cell.periodic
    away = (positions + images @ cell.vectors)[order]
    found = multipole_sum(away, cell, squared[order], moments[order])
    np.testing.assert_allclose(found, expected[order], atol=1e-12)


@pytest.mark.parametrize("kind", PERIODIC)
def test_adjoint_and_strain(kind, positions, squared, moments):
    """By positions, moments, and strains that turn and tilt the cell as well."""
    cell = Cell(VECTORS, PERIODIC[kind])

    def neutral(given):
        out = given.copy()
        out[:, 0] -= out[:, 0].mean()
        return out

    def forward(x, given, strain):
        F = np.eye(3) + strain
        moved = Cell(cell.vectors @ F.T, cell.periodic)
        return multipole_sum(x @ F.T, moved, squared, neutral(given))

    def adjoint(energies_bar):
        bar = np.zeros((N, N_MOMENT))
        found = multipole_sum_adjoint(positions, cell, squared, moments, energies_bar, bar)
        return found[0], neutral(bar), found[1]

    arrays = [positions, moments, np.zeros((3, 3))]
    assert_adjoint(forward, adjoint, arrays, rtol=1e-8, step=2e-3)


@pytest.mark.parametrize("kind", PERIODIC)
def test_quadrupoles_are_pairs_of_dipoles(kind, positions, squared):
    """Beside a dipole, by differences: the columns of T there and back."""
    cell = Cell(VECTORS * 1.5, PERIODIC[kind])
    entries = np.random.default_rng(5).normal(size=(N, 6))
    entries[:, [0, 3, 5]] -= entries[:, [0, 3, 5]].mean(axis=1, keepdims=True)
    theta, x = entries[:, multipoles.PLACES - 4], np.array([[1.0, 4.0, -2.0]])
    dipole = np.zeros((1, N_MOMENT))
    dipole[0, 1:4] = 0.3, -0.5, 0.8

    def beside(sites, moments):
        """Interaction of some moments with the dipole."""
        widths = np.append(np.tile(squared, len(sites) // N), 1.0)
        both = np.vstack([sites, x]), cell, widths
        rest, none = np.zeros_like(dipole), np.zeros_like(moments)
        sums = [
            multipole_sum(*both, np.vstack(some)).sum()
            for some in ((moments, dipole), (moments, rest), (none, dipole))
        ]
        return sums[0] - sums[1] - sums[2]

    values = []
    for step in (2e-2, 4e-2):
        there = [(sign, a) for a in range(3) for sign in (1.0, -1.0)]
        moments = np.zeros((6 * N, N_MOMENT))
        moments[:, 1:4] = np.concatenate([s * theta[:, a] / (2.0 * step) for s, a in there])
        sites = np.concatenate([positions + s * step * np.eye(3)[a] for s, a in there])
        values.append(beside(sites, moments))
    expected = (4.0 * values[0] - values[1]) / 3.0
    moments = np.zeros((N, N_MOMENT))
    moments[:, 4:] = entries
    assert abs(expected) > 1e-4
    assert beside(positions, moments) == pytest.approx(expected, abs=1e-7)
