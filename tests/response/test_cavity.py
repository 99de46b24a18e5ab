"""The cavity: kernels beside obvious twins, adjoints, and what a sphere in a conductor must do."""

import numpy as np
import pytest
from harness import assert_adjoint
from molecules import distorted, moved
from scipy.special import erf

from mlsemi.errors import InputError
from mlsemi.kernels import cavity as kernels
from mlsemi.molecule.structure import Structure
from mlsemi.response.cavity import SCALE, Cavity
from mlsemi.response.solvents import OTHER_NAMES, TABLE, Solvent, solvent_of
from mlsemi.units import BOHR_ANGSTROM

MOLECULE = distorted("CH3NO2")


def moments_of(n_atom, seed=0):
    return np.random.default_rng(seed).normal(size=(n_atom, 4)) * 0.3


def naive_matrix(points, zeta, diagonal):
    n = len(zeta)
    out = np.diag(diagonal)
    for k in range(n):
        for l in range(n):
            if k != l:
                r = np.linalg.norm(points[k] - points[l])
                both = 1.0 / np.sqrt(zeta[k] ** -2 + zeta[l] ** -2)
                out[k, l] = erf(both * r) / r
    return out


def naive_potential(points, zeta, positions, step=1e-4):
    """Dipoles as differences of two charges."""
    out = np.empty((len(zeta), len(positions), 4))
    for k, i in np.ndindex(out.shape[:2]):

        def charge(at, k=k):
            r = np.linalg.norm(points[k] - at)
            return erf(zeta[k] * r) / r

        out[k, i, 0] = charge(positions[i])
        for c in range(3):
            shift = step * np.eye(3)[c]
            ahead, behind = charge(positions[i] + shift), charge(positions[i] - shift)
            out[k, i, 1 + c] = (ahead - behind) / (2.0 * step)
    return out


def test_kernels_beside_their_twins():
    rng = np.random.default_rng(0)
    points, zeta = rng.normal(size=(9, 3)), rng.uniform(0.5, 2.0, 9)
    positions, diagonal = rng.normal(size=(4, 3)), rng.uniform(1.0, 2.0, 9)
    matrix = kernels.surface_matrix(points, zeta, diagonal)
    np.testing.assert_allclose(matrix, naive_matrix(points, zeta, diagonal), atol=1e-13)
    potential = kernels.surface_potential(points, zeta, positions)
    np.testing.assert_allclose(potential, naive_potential(points, zeta, positions), atol=1e-7)


def test_adjoints():
    q, tension = moments_of(MOLECULE.n_atom), np.random.default_rng(1).normal(size=MOLECULE.n_atom)

    def cavity(positions):
        return Cavity.of(moved(MOLECULE, positions))

    def forward(positions):
        at = cavity(positions)
        return 0.5 * np.sum(q * at.reaction(q)), at.atom_areas @ tension

    def adjoint(energy_bar, area_bar):
        at = cavity(MOLECULE.positions)
        return energy_bar * at.reaction_adjoint(q) + at.areas_adjoint(area_bar * tension)

    assert_adjoint(forward, adjoint, [MOLECULE.positions], step=5e-3, rtol=1e-7)


def test_ion_in_a_sphere_is_born_s():
    """G = - q^2 / 2 R in a conductor, for a charge in the middle of its sphere."""
    cavity = Cavity.of(Structure([8], np.zeros((1, 3))))
    radius = cavity.radii[0]
    assert radius == pytest.approx(SCALE * 1.52 / BOHR_ANGSTROM)
    q = np.array([[-1.3, 0.0, 0.0, 0.0]])
    assert 0.5 * np.sum(q * cavity.reaction(q)) == pytest.approx(-(1.3**2) / 2 / radius, rel=2e-3)
    assert cavity.atom_areas[0] == pytest.approx(4.0 * np.pi * radius**2, rel=1e-12)


def test_dipole_in_a_sphere_is_bell_s():
    """G = - mu^2 / 2 R^3 in a conductor (Onsager's with infinite dielectric constant)."""
    cavity = Cavity.of(Structure([8], np.zeros((1, 3))))
    q = np.array([[0.0, 0.2, -0.5, 0.3]])
    expected = -np.sum(q**2) / (2.0 * cavity.radii[0] ** 3)
    assert 0.5 * np.sum(q * cavity.reaction(q)) == pytest.approx(expected, rel=5e-3)


def test_far_molecules_add_up():
    q = moments_of(MOLECULE.n_atom)
    q[:, 0] -= q[:, 0].mean()
    q[:, 1:] = 0.0
    far = np.array([300.0, 0.0, 0.0])
    both = Structure(
        np.tile(MOLECULE.numbers, 2), np.vstack([MOLECULE.positions, MOLECULE.positions + far])
    )
    one = 0.5 * np.sum(q * Cavity.of(MOLECULE).reaction(q))
    two = np.vstack([q, q])
    assert 0.5 * np.sum(two * Cavity.of(both).reaction(two)) == pytest.approx(2 * one, abs=1e-6)


def test_block_of_charges():
    cavity = Cavity.of(MOLECULE)
    q = np.zeros((MOLECULE.n_atom, 4))
    q[:, 0] = np.random.default_rng(2).normal(size=MOLECULE.n_atom)
    expected = cavity.reaction(q)[:, 0]
    np.testing.assert_allclose(cavity.between_charges @ q[:, 0], expected, atol=1e-12)
    assert np.linalg.eigvalsh(cavity.between_charges)[-1] < 0.0


def test_turning_hardly_matters():
    """The points do not turn with the molecule: 110 of them leave 0.3 % of the energy."""
    q = moments_of(MOLECULE.n_atom)
    before = 0.5 * np.sum(q * Cavity.of(MOLECULE).reaction(q))
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turned = np.hstack([q[:, :1], q[:, 1:] @ turn.T])
    other = Cavity.of(moved(MOLECULE, MOLECULE.positions @ turn.T)).reaction(turned)
    assert 0.5 * np.sum(turned * other) == pytest.approx(before, rel=5e-3)


def test_elements_without_a_radius():
    plain = Structure([8], np.zeros((1, 3)))
    object.__setattr__(plain, "numbers", np.array([82]))
    with pytest.raises(InputError, match="no radius of Pb in a solvent"):
        Cavity.of(plain)


@pytest.mark.parametrize("name", TABLE)
def test_solvents(name):
    solvent = solvent_of(name.upper())
    assert solvent.name == name
    assert solvent.epsilon > solvent.refractive_index**2 - 0.35
    assert 0.0 < solvent.fast_factor < 1.0
    assert solvent.factor > 0.4


def test_other_names_lead_somewhere():
    assert {solvent_of(name).name for name in OTHER_NAMES} == set(OTHER_NAMES.values())
    assert solvent_of(Solvent("own", 5.0, 1.2)).epsilon == 5.0


def test_dielectric_constants():
    assert solvent_of(1.0).factor == 0.0
    assert solvent_of(1.0).fast_factor == 0.0
    assert solvent_of(80.0).factor == pytest.approx(79.0 / 80.0)
    for wrong in (0.5, float("nan"), float("inf"), -3.0):
        with pytest.raises(InputError, match="dielectric constant"):
            solvent_of(wrong)
    with pytest.raises(InputError, match=r"no solvent 'vodka' .there are acetic acid, acetone"):
        solvent_of("vodka")
    assert solvent_of("h2o").tension == 0.0
