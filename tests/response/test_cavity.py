"""The cavity: kernels beside obvious twins, adjoints, and what a sphere in a conductor must do."""

import numpy as np
import pytest
from ase.build import molecule
from harness import assert_adjoint
from molecules import distorted, moved

from mlsemi import singlepoint
from mlsemi.errors import InputError
from mlsemi.kernels import cavity as kernels
from mlsemi.molecule.structure import Structure
from mlsemi.response.cavity import CLOSEST, SCALE, WIDTH, Cavity
from mlsemi.response.solvents import OTHER_NAMES, TABLE, Solvent, solvent_of
from mlsemi.units import BOHR_ANGSTROM

MOLECULE = distorted("CH3NO2")


def moments_of(n_atom, seed=0):
    return np.random.default_rng(seed).normal(size=(n_atom, 4)) * 0.3


def naive_smeared(r, reach):
    """Potential of the density (1 - r^2 / R^2)^3 from its integrals over shells."""
    if r >= reach:
        return 1.0 / r
    x = np.linspace(0.0, 1.0, 20001)
    density = (1.0 - x**2) ** 3
    inside = np.trapezoid(np.where(x <= r / reach, density * x**2, 0.0), x)
    outside = np.trapezoid(np.where(x > r / reach, density * x, 0.0), x)
    return (inside / (r / reach) + outside) / np.trapezoid(density * x**2, x) / reach


def naive_exposure(point, own, positions, radii, widths):
    out = 1.0
    for i in range(len(positions)):
        if i != own:
            t = (np.linalg.norm(point - positions[i]) - radii[i]) / widths[own, i]
            x = np.clip(0.5 * (1.0 + t), 0.0, 1.0)
            out *= 35 * x**4 - 84 * x**5 + 70 * x**6 - 20 * x**7
    return out


def naive_potential(points, positions, step=1e-4):
    """Dipoles as differences of two charges."""
    out = np.empty((len(points), len(positions), 4))
    for k, i in np.ndindex(out.shape[:2]):

        def charge(at, k=k):
            return 1.0 / np.linalg.norm(points[k] - at)

        out[k, i, 0] = charge(positions[i])
        for c in range(3):
            shift = step * np.eye(3)[c]
            ahead, behind = charge(positions[i] + shift), charge(positions[i] - shift)
            out[k, i, 1 + c] = (ahead - behind) / (2.0 * step)
    return out


def test_kernels_beside_their_twins():
    rng = np.random.default_rng(0)
    points, first = rng.normal(size=(9, 3)), np.array([0, 3, 3, 9])
    atom = np.repeat([0, 1, 2], np.diff(first))
    balls = np.array([0.9, 1.0, 1.3])
    for i in range(3):
        rows = kernels.surface_rows(np.ascontiguousarray(points.T), first, balls, i)
        assert rows.shape == (first[i + 1] - first[i], first[i + 1])
        for k, l in np.ndindex(rows.shape):
            r = max(np.linalg.norm(points[first[i] + k] - points[l]), 1e-9)
            expected = naive_smeared(r, np.hypot(balls[i], balls[atom[l]]))
            assert rows[k, l] == pytest.approx(expected, rel=1e-3)
    positions = rng.normal(size=(4, 3))
    potential = kernels.moments_potential(points, positions).reshape(9, 4, 4)
    np.testing.assert_allclose(potential, naive_potential(points, positions), rtol=1e-5)


def test_contraction_beside_its_twin():
    rng = np.random.default_rng(1)
    first, functions = np.array([0, 3, 3, 9]), np.array([0, 4, 8, 17])
    basis, rows, out = rng.normal(size=(9, 9)), rng.normal(size=(2, 9)), np.empty((2, 17))
    kernels.onto_functions(rows, first, basis, functions, out)
    expected = [
        rows[:, first[i] : first[i + 1]] @ basis[m, first[i] : first[i + 1]]
        for i in range(3)
        for m in range(functions[i + 1] - functions[i])
    ]
    np.testing.assert_allclose(out, np.transpose(expected), atol=1e-13)


def test_switches_beside_their_twin():
    cavity = Cavity.of(MOLECULE)
    widths = np.minimum(WIDTH * cavity.spacing[:, None], CLOSEST * cavity.radii)
    expected = [
        naive_exposure(point, own, cavity.positions, cavity.radii, widths)
        for point, own in zip(cavity.points, cavity.atom, strict=True)
    ]
    np.testing.assert_allclose(cavity.exposed, expected, rtol=1e-9, atol=1e-15)
    assert 0.0 < cavity.exposed.min() < 1e-3
    assert cavity.exposed.max() == 1.0


def test_points_come_and_go_smoothly():
    """Two spheres that part: no jump in the slope of the energy."""
    q = moments_of(2, seed=4)

    def slope(x):
        cavity = Cavity.of(Structure([17, 1], np.array([[0.0, 0.1, 0.2], [x, 0.0, 0.0]])))
        return cavity.reaction_adjoint(q)[1, 0]

    slopes = np.array([slope(x) for x in np.arange(1.6, 9.0, 0.02)])
    assert np.ptp(slopes) > 1e-3
    assert np.abs(np.diff(slopes, 2)).max() < 0.02 * np.ptp(slopes)


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
    """G = - mu^2 / 2 R^3 in a conductor (Onsager's with infinite dielectric constant).

    Smearing takes 0.6 % from the dipole of a sphere of 86 points, 3.2 % from one of 26.
    """
    cavity = Cavity.of(Structure([8], np.zeros((1, 3))))
    q = np.array([[0.0, 0.2, -0.5, 0.3]])
    expected = -np.sum(q**2) / (2.0 * cavity.radii[0] ** 3)
    assert 0.5 * np.sum(q * cavity.reaction(q)) == pytest.approx(expected, rel=7e-3)


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
    """The points do not turn with the molecule, which leaves 0.1 or 0.2 % of the energy."""
    q = moments_of(MOLECULE.n_atom)
    before = 0.5 * np.sum(q * Cavity.of(MOLECULE).reaction(q))
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turned = np.hstack([q[:, :1], q[:, 1:] @ turn.T])
    other = Cavity.of(moved(MOLECULE, MOLECULE.positions @ turn.T)).reaction(turned)
    assert 0.5 * np.sum(turned * other) == pytest.approx(before, rel=3e-3)


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


def test_a_room_inside_a_molecule_is_found():
    """C60 has one; what is open, flat or beside each other has none."""
    ring = molecule("C6H6")
    two = ring.copy()
    two.positions[:, 2] += 6.0
    found = [
        Cavity.of(Structure.from_ase(atoms)).holes
        for atoms in (molecule("C60"), ring, ring + two, molecule("bicyclobutane"))
    ]
    assert found == [1, 0, 0, 0]


def test_a_solvent_inside_a_cage_is_said():
    told = singlepoint(molecule("C60"), solvent="water").warnings
    assert any("encloses a room that the continuum" in text for text in told)
    assert not any("encloses" in text for text in singlepoint(molecule("C60")).warnings)
