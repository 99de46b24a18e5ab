"""The calculator and the doors for what is periodic."""

import warnings

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces
from ase.md.verlet import VelocityVerlet
from ase.stress import voigt_6_to_full_3x3_stress
from crystals import PERIODIC, polyethylene, sheet, skew, strained, structure

import mlsemi
from mlsemi.errors import DomainWarning, InputError
from mlsemi.lattice.cell import Cell
from mlsemi.molecule.dispersion import dispersion_of
from mlsemi.molecule.structure import Structure
from mlsemi.nuclei.relaxation import relax
from mlsemi.nuclei.scan import scan
from mlsemi.nuclei.vibrations import vibrations
from mlsemi.units import HARTREE_EV

pytestmark = pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")


def calculated(atoms, tiny, **settings):
    atoms.calc = mlsemi.MLSemi(tiny, **settings)
    return atoms


def test_forces_and_stress_of_the_calculator(tiny):
    atoms = calculated(skew(), tiny)
    forces, stress = atoms.get_forces(), voigt_6_to_full_3x3_stress(atoms.get_stress())
    expected = calculate_numerical_forces(atoms, 1e-3, iatoms=[2])
    np.testing.assert_allclose(forces[[2]], expected, rtol=0.0, atol=1e-5)
    strain = np.array([[0.3, 0.5, -0.2], [0.5, -0.4, 0.1], [-0.2, 0.1, 0.2]])

    def energy(t):
        moved = atoms.copy()
        moved.set_cell(atoms.cell @ (np.eye(3) + t * strain), scale_atoms=True)
        return calculated(moved, tiny).get_potential_energy()

    h = 1e-3
    slope = (8.0 * (energy(h) - energy(-h)) - energy(2 * h) + energy(-2 * h)) / (12.0 * h)
    assert np.sum(stress * strain) * atoms.get_volume() == pytest.approx(slope, abs=1e-5)
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-8)


def test_the_calculator_is_the_single_point(tiny):
    atoms = calculated(skew("layer"), tiny, kpts="2x2x1", electronic_temperature=5000.0)
    result = mlsemi.singlepoint(
        skew("layer"), parameters=tiny, kpts=(2, 2, 1), forces=True, electronic_temperature=5000.0
    )
    record = result.to_dict()
    assert atoms.get_potential_energy() == pytest.approx(record["energy_ev"], abs=1e-9)
    np.testing.assert_allclose(atoms.get_forces(), record["forces_ev_per_angstrom"], atol=1e-9)
    np.testing.assert_allclose(atoms.get_charges(), result.charges)
    assert record["electronic_entropy_term_ev"] < 0.0
    cold = calculated(skew("layer"), tiny)
    assert cold.get_potential_energy() > atoms.get_potential_energy()
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_dipole_moment()


def test_a_changed_cell_is_a_new_geometry(tiny):
    atoms = calculated(skew(), tiny)
    before = atoms.get_potential_energy()
    atoms.set_cell(atoms.cell * 1.05)
    assert atoms.get_potential_energy() != before
    atoms.pbc = False
    alone = atoms.get_potential_energy()
    free = skew()
    free.pbc, free.cell = False, None
    assert alone == pytest.approx(calculated(free, tiny).get_potential_energy(), abs=1e-10)


def test_what_cells_do_not_have_is_refused_in_one_line(tiny):
    atoms = skew()
    for asked, words in (
        ({"singlets": 1}, "excited states"),
        ({"max_energy": 0.3}, "excited states"),
        ({"solvent": "water"}, "a solvent"),
        ({"field": (0, 0, 0.01)}, "an electric field"),
        ({"point_charges": ([1.0], [[0, 0, 9]])}, "point charges"),
        ({"polarizability": True}, "a polarisability"),
        ({"charge": 1, "multiplicity": 1}, r"charge \+1"),
        ({"multiplicity": 3}, "unpaired electrons"),
    ):
        with pytest.raises(InputError, match=f"{words} in a periodic cell.*not supported"):
            mlsemi.singlepoint(atoms, parameters=tiny, **asked)
    for setting in ({"state": 1}, {"solvent": "water"}):
        with pytest.raises(InputError, match="in a periodic cell: not supported"):
            calculated(atoms.copy(), tiny, **setting).get_potential_energy()
    with pytest.raises(InputError, match="odd number of them, double it"):
        mlsemi.singlepoint(Atoms("H", cell=[3, 3, 3], pbc=True), parameters=tiny)
    with pytest.raises(InputError, match="k-points need a periodic cell"):
        mlsemi.singlepoint(molecule("H2O"), parameters=tiny, kpts=(2, 2, 2))
    with pytest.raises(InputError, match="overlap"):
        mlsemi.singlepoint(Atoms("H2", [[0, 0, 0], [0, 0, 3]], cell=[9, 9, 3.1], pbc=True))


def test_a_crystal_relaxes_and_keeps_its_cell(tiny):
    atoms = skew()
    found = relax(atoms, mlsemi.MLSemi(tiny, dispersion=False), fmax=0.5)
    assert found.converged
    np.testing.assert_array_equal(found.atoms.cell, atoms.cell)
    for function, words in (
        (lambda: vibrations(atoms), "vibrations"),
        (lambda: scan(atoms, (0, 1), [1.2]), "a scan"),
    ):
        with pytest.raises(InputError, match=f"{words} in a periodic cell"):
            function()


def test_cells_are_said_to_be_outside_of_training(tiny):
    atoms = calculated(skew(), tiny)
    with pytest.warns(DomainWarning, match="nothing periodic was learned"):
        atoms.get_potential_energy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms.rattle(0.01)
        atoms.get_potential_energy()
    words = " ".join(mlsemi.singlepoint(sheet(), parameters=tiny).warnings)
    assert "nothing periodic was learned" in words


def test_dispersion_of_cells_and_supercells():
    atoms = skew()
    one = dispersion_of(structure(atoms), "b3lyp", True)
    two = dispersion_of(structure(atoms.repeat((1, 2, 1))), "b3lyp", True)
    assert two.energy / 2.0 == pytest.approx(one.energy, abs=1e-13)
    np.testing.assert_allclose(two.gradient[: len(atoms)], one.gradient, atol=1e-13)
    np.testing.assert_allclose(two.strain / 2.0, one.strain, atol=1e-13)


@pytest.mark.parametrize("kind", PERIODIC)
def test_dispersion_of_cells_against_molecules_and_differences(kind):
    given = structure(skew(kind))
    found = dispersion_of(given, "b3lyp", True)
    alone = dispersion_of(Structure(given.numbers, given.positions), "b3lyp", True)
    assert found.energy < 1.2 * alone.energy < 0.0
    cell = Cell(150.0 * np.eye(3), PERIODIC[kind])
    far = dispersion_of(Structure(given.numbers, given.positions, cell=cell), "b3lyp", True)
    assert far.energy == pytest.approx(alone.energy, abs=1e-14)
    np.testing.assert_allclose(far.gradient, alone.gradient, rtol=0.0, atol=1e-14)
    rng = np.random.default_rng(0)
    moves, strain, h = rng.normal(size=given.positions.shape), rng.normal(size=(3, 3)), 1e-3

    def slope(function):
        near, wide = function(h) - function(-h), function(2.0 * h) - function(-2.0 * h)
        return (8.0 * near - wide) / (12.0 * h)

    def energy(t, u):
        return dispersion_of(strained(given, u * strain, t * moves), "b3lyp").energy

    expected = slope(lambda t: energy(t, 0.0)), slope(lambda u: energy(0.0, u))
    walked = np.sum(found.gradient * moves), np.sum(found.strain * strain)
    np.testing.assert_allclose(walked, expected, rtol=1e-6, atol=1e-11)


@pytest.mark.parametrize("seed", [0])
def test_a_molecular_crystal_conserves_its_energy(seed):
    atoms = molecule("CO2")
    atoms.set_cell([5.0, 4.2, 4.4])
    atoms.pbc = True
    atoms.rattle(0.02, seed=seed)
    atoms.calc = mlsemi.MLSemi(dispersion=False)
    rng = np.random.default_rng(seed)
    atoms.set_momenta(rng.normal(size=(3, 3)) * np.sqrt(atoms.get_masses()[:, None] * 0.026))
    totals, potentials = [], []
    for _ in range(60):
        VelocityVerlet(atoms, 0.5 * units.fs).run(1)
        atoms.wrap()
        totals.append(atoms.get_total_energy())
        potentials.append(atoms.get_potential_energy())
    assert np.ptp(potentials) > 0.03
    assert np.ptp(totals) < 0.02 * np.ptp(potentials)


def test_bands_of_graphene_and_polyethylene(tiny):
    bands = mlsemi.bands(sheet(), parameters=tiny, npoints=31, kpts="6x6x1")
    record = bands.to_dict()
    assert [name for _, name in record["labels"]] == ["G", "M", "K", "G"]
    assert len(record["kpoints"]["energies_ev"]) == 31
    assert bands.energies.shape == (31, 8)
    assert record["gap_ev"] <= record["direct_gap_ev"]
    assert bands.plot().axes[0].get_ylabel().startswith("energy")
    chain = mlsemi.bands(polyethylene(), parameters=tiny, path="GX", kpts=(1, 1, 4))
    at = chain.to_dict()
    assert at["structure"]["pbc"] == [False, False, True]
    levels = np.array(at["kpoints"]["energies_ev"])
    point = mlsemi.singlepoint(polyethylene(), parameters=tiny, kpts="1x1x2")
    found = point.state.filling.energies * HARTREE_EV
    np.testing.assert_allclose(found[0], levels[0], atol=1e-9)
    np.testing.assert_allclose(found[1], levels[-1], atol=1e-9)
    with pytest.raises(InputError, match="special points of this cell are G X"):
        mlsemi.bands(polyethylene(), parameters=tiny, path="GQ")
    with pytest.raises(InputError, match="bands need a periodic cell"):
        mlsemi.bands(molecule("H2O"), parameters=tiny)
