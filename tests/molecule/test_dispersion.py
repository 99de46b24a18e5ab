"""D4 of the functional the parameters were trained on, and how it enters a single point."""

from dataclasses import replace

import naive_dispersion
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from harness import assert_equivariant, derivative
from molecules import distorted, parameters_of, random_model

from mlsemi.calculators.surface import excited_surface
from mlsemi.errors import ParameterError
from mlsemi.evaluate import singlepoint
from mlsemi.molecule import charge_flow
from mlsemi.molecule.dispersion import TRIPLES, dispersion_of
from mlsemi.molecule.dispersion_tables import damping, element_tables
from mlsemi.molecule.elements import VALENCE
from mlsemi.molecule.structure import Structure
from mlsemi.units import HARTREE_EV

STRUCTURE = distorted("CH3CONH2")


@pytest.fixture(scope="module")
def trained():
    """A random set that says it was trained on B3LYP."""
    return parameters_of(random_model(seed=8))


def test_benzene_dimer():
    """One ring: dftd4 4.3.1 with its own cutoffs. Two, 3.9 angstrom apart: what B3LYP lacks.

    Sandwich of the benzene dimer at that distance: CCSD(T) binds by 1.7 kcal/mol (Sinnokrot and
    Sherrill, J. Phys. Chem. A 108, 10200 (2004)), B3LYP repels by about 3.
    """
    ring = molecule("C6H6")
    pair = ring.copy()
    shifted = ring.copy()
    shifted.positions[:, 2] += 3.9
    pair += shifted
    alone, both = (
        dispersion_of(Structure.from_ase(atoms), "B3LYP").energy for atoms in (ring, pair)
    )
    assert alone == pytest.approx(-0.017326, abs=2e-6)
    assert 4.0 < -(both - 2.0 * alone) * 627.5 < 7.0


def of_the_library(structure, functional):
    """D4 by its authors."""
    from dftd4.interface import DampingParam, DispersionModel

    model = DispersionModel(structure.numbers, np.array(structure.positions), structure.charge)
    return model.get_dispersion(DampingParam(method=functional), grad=False)["energy"]


HALIDES = ("CH3Cl", "SiH4", "PH3", "CH3SH", "BF3", "CH3NO2", "C6H6", "CH3CONH2")


@pytest.mark.parametrize("name", HALIDES)
def test_library(name):
    """Molecules smaller than all ends: D4 to 2e-6 of itself but for the ease of bonds."""
    structure = Structure.from_ase(molecule(name))
    found = dispersion_of(structure, "b3lyp").energy
    exact = of_the_library(structure, "b3lyp")
    assert sum(naive_dispersion.energy(structure, "b3lyp", ease=None)) == pytest.approx(
        exact, rel=2e-6
    )
    assert abs(found - exact) < 1e-6  # hartree


@pytest.mark.parametrize(
    ("symbols", "charge", "functional", "plain"),
    [
        ("BrCO", 1, "PBE0", "pbe0"),
        ("ISeH", 0, "wB97X-2008", "wb97x-2008"),
        ("OSeBr", -1, "CAM-B3LYP", "cam-b3lyp"),
    ],
)
def test_library_of_heavy_elements_and_ions(symbols, charge, functional, plain):
    """Functionals by name, whatever its hyphens and case."""
    x = np.array([[0.0, 0.0, 0.0], [0.0, 0.3, 2.0], [0.0, 2.1, 2.3]]) / 0.529177
    structure = Structure(Atoms(symbols).numbers, x, charge)
    exact = sum(naive_dispersion.energy(structure, functional, ease=None))
    assert exact == pytest.approx(of_the_library(structure, plain), rel=2e-6)


def far_reaching():
    """An ion of several elements on a line that is longer than all ends."""
    rng = np.random.default_rng(3)
    x = np.linspace(0.0, 62.0, 26)[:, None] * [0.6, 0.0, 0.8] + rng.uniform(-1.1, 1.1, (26, 3))
    return Structure(np.tile([1, 6, 7, 8, 17], 6)[:26], x, charge=1, multiplicity=2)


def test_naive_twin():
    for structure in (STRUCTURE, far_reaching(), Structure.from_ase(water_cluster())):
        found = dispersion_of(structure, "b3lyp").energy
        assert found == pytest.approx(sum(naive_dispersion.energy(structure, "b3lyp")), rel=1e-10)


def water_cluster():
    """Twelve molecules, some of which touch."""
    water, rng = molecule("H2O"), np.random.default_rng(5)
    whole = Atoms()
    for cell in np.ndindex(3, 2, 2):
        one = water.copy()
        one.rotate(rng.uniform(0, 180), rng.normal(size=3), center="COM")
        one.positions += 2.9 * np.array(cell) + rng.uniform(-0.1, 0.1, 3)
        whole += one
    return whole


@pytest.mark.parametrize("structure", [STRUCTURE, Structure.from_ase(water_cluster())])
def test_conjugate_gradients_and_dense_matrix(structure, monkeypatch):
    dense = dispersion_of(structure, "b3lyp", with_gradient=True)
    monkeypatch.setattr(charge_flow, "DENSE", 0)
    iterated = dispersion_of(structure, "b3lyp", with_gradient=True)
    assert iterated.energy == pytest.approx(dense.energy, rel=1e-12)
    np.testing.assert_allclose(iterated.gradient, dense.gradient, atol=1e-12)
    np.testing.assert_allclose(dense.gradient.sum(axis=0), 0.0, atol=1e-14)


@pytest.mark.parametrize(
    "structure", [STRUCTURE, far_reaching(), Structure.from_ase(water_cluster())]
)
def test_gradient(structure):
    """Bonds, contacts that are half open for charges, and all the ends."""
    found = dispersion_of(structure, "b3lyp", with_gradient=True)
    assert np.abs(found.gradient).max() > 1e-4
    direction = np.random.default_rng(0).normal(size=found.gradient.shape)
    direction /= np.linalg.norm(direction)

    def energy(t):
        moved = replace(structure, positions=structure.positions + t * direction)
        return dispersion_of(moved, "b3lyp").energy

    slope = derivative(energy)
    assert np.sum(found.gradient * direction) == pytest.approx(slope, rel=1e-8, abs=1e-12)


def test_molecules_far_apart_are_alone():
    ring, water = (Structure.from_ase(molecule(name)) for name in ("C6H6", "H2O"))
    far = water.positions + np.array([0.0, 0.0, 1e5 / 0.529])
    both = Structure(np.append(ring.numbers, water.numbers), np.concatenate([ring.positions, far]))
    parts = [dispersion_of(one, "b3lyp", True) for one in (ring, water)]
    whole = dispersion_of(both, "b3lyp", True)
    assert abs(whole.energy - sum(one.energy for one in parts)) * HARTREE_EV < 1e-8
    np.testing.assert_allclose(
        whole.gradient, np.concatenate([one.gradient for one in parts]), atol=1e-12
    )


def test_a_contact_is_smooth():
    """Charges that begin to flow and ends that are crossed leave no jump in energy and gradient."""
    ring, water = molecule("C6H6"), molecule("H2O")
    for distances in (np.linspace(0.9, 2.0, 23), TRIPLES * 0.529 + np.linspace(-3.0, 1.0, 21)):
        for at in distances:
            lower, upper = (
                dispersion_of(Structure.from_ase(above(ring, water, at + step)), "b3lyp", True)
                for step in (-1e-6, 1e-6)
            )
            assert abs(upper.energy - lower.energy) < 1e-6
            assert np.abs(upper.gradient - lower.gradient).max() < 1e-6


def above(one, other, distance):
    raised = other.copy()
    raised.positions[:, 2] += distance + 1.2
    return one + raised


def test_atoms_alone():
    found = dispersion_of(Structure([18 - 1], np.zeros((1, 3)), -1), "b3lyp", with_gradient=True)
    assert found.energy == 0.0
    np.testing.assert_array_equal(found.gradient, np.zeros((1, 3)))


def test_every_element_has_its_row():
    tables = element_tables()
    rows = tables.row[list(VALENCE)]
    assert sorted(rows) == list(range(len(VALENCE)))
    assert (tables.reference[2, rows].sum(axis=1) >= 2).all()
    assert damping("b3lyp") == pytest.approx([1.0, 2.02929367, 1.0, 0.40868035, 4.53807137])


def test_equivariant():
    def observe(structure):
        found = dispersion_of(structure, "b3lyp", with_gradient=True)
        return {
            "energy": ("number", np.array(found.energy)),
            "gradient": ("atom_vector", 10.0 * found.gradient),
        }

    assert_equivariant(observe, STRUCTURE, atol=1e-12)


def test_charge_that_empties_an_atom_of_its_nuclear_charge():
    """D4's charge scaling divides by Z + q; H2 of charge -2 once had forces that are no numbers."""
    x = [[0.8217701239287258, -1.3812797174167781, -2.7541588563828316],
         [-2.9008341868288254, 1.879621435201635, 2.47653346366633]]  # fmt: skip
    found = dispersion_of(Structure([1, 1], np.array(x), -2), "b3lyp", with_gradient=True)
    beside = dispersion_of(Structure([1, 1], np.array(x) + 1e-5 * np.eye(2, 3), -2), "b3lyp", True)
    assert np.abs(found.gradient).max() > 1e-3
    np.testing.assert_allclose(found.gradient, beside.gradient, atol=1e-6)


def test_functional_of_a_header(trained):
    assert trained.functional == "b3lyp"
    for header in ({}, {"reference": {"method": "x"}}, {"reference": "x"}, {"reference": {}}):
        assert replace(trained, header=header).functional is None


def test_single_point_adds_it(trained):
    with_it = singlepoint(STRUCTURE, parameters=trained, forces=True)
    without = singlepoint(STRUCTURE, parameters=trained, forces=True, dispersion=False)
    d4 = dispersion_of(STRUCTURE, "b3lyp", with_gradient=True)
    assert with_it.dispersion == pytest.approx(d4.energy, rel=1e-12)  # d4 on any number of threads
    assert d4.energy < -1e-3
    assert without.dispersion is None
    assert with_it.energy - without.energy == pytest.approx(d4.energy, rel=1e-10)
    np.testing.assert_allclose(with_it.forces - without.forces, -d4.gradient, atol=1e-12)
    assert with_it.to_dict()["dispersion_ev"] == pytest.approx(27.2114 * d4.energy, rel=1e-5)
    assert "dispersion_ev" not in without.to_dict()
    assert not any("dispersion" in text for text in with_it.warnings)


def test_excited_surface_adds_it(trained):
    points = [excited_surface(STRUCTURE, trained, 1, dispersion=yes) for yes in (True, False)]
    d4 = dispersion_of(STRUCTURE, "b3lyp", with_gradient=True)
    assert points[0].energy - points[1].energy == pytest.approx(d4.energy, rel=1e-8)
    np.testing.assert_allclose(points[0].forces - points[1].forces, -d4.gradient, atol=1e-9)


def test_unnamed_functional_is_said():
    plain = parameters_of(random_model(seed=8), header={})
    result = singlepoint(STRUCTURE, parameters=plain)
    assert result.dispersion is None
    assert [text for text in result.warnings if "no dispersion" in text]
    quiet = singlepoint(STRUCTURE, parameters=plain, dispersion=False)
    assert not [text for text in quiet.warnings if "dispersion" in text]


def test_unknown_functional_is_refused():
    with pytest.raises(ParameterError, match="no parameters for the functional 'nonsense'"):
        dispersion_of(STRUCTURE, "nonsense")
