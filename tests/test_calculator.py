"""ASE calculator: what it gives, when it computes and how it is copied."""

import copy
import pickle
import threading

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.calculator import PropertyNotImplementedError, ReadError
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.optimize import BFGS
from tiny import write_tiny_parameters

import mlsemi
from mlsemi import calculator
from mlsemi.calculators.surface import excited_surface
from mlsemi.errors import InputError, ParameterError
from mlsemi.model.committee import Committee
from mlsemi.units import HARTREE_EV

STEP = 1e-3


@pytest.fixture
def atoms():
    """Formaldehyde without symmetry."""
    out = molecule("H2CO")
    out.positions += 0.1 * np.random.default_rng(1).normal(size=(4, 3))
    return out


@pytest.mark.parametrize("state", [0, 1, 3])
@pytest.mark.parametrize("kelvin", [0.0, 15000.0])
def test_forces_are_the_gradient_of_the_surface(tiny, atoms, state, kelvin):
    settings = {"state": state, "electronic_temperature": kelvin}
    atoms.calc = mlsemi.MLSemi(tiny, **settings)
    forces = atoms.get_forces()
    assert np.abs(forces).max() > 0.1
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-6)
    for atom, axis in ((0, 2), (1, 0), (3, 1)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * STEP
            moved.calc = mlsemi.MLSemi(tiny, **settings)
            energies.append(moved.get_potential_energy())
        slope = (energies[0] - energies[1]) / (2 * STEP)
        assert forces[atom, axis] == pytest.approx(-slope, rel=1e-4, abs=2e-5)


def test_surfaces_differ_by_the_excitation_energy(tiny, atoms):
    atoms.calc = mlsemi.MLSemi(tiny)
    ground = atoms.get_potential_energy()
    listed = atoms.calc.excitations(singlets=3, triplets=1)
    assert [len(listed[kind]) for kind in ("singlets", "triplets")] == [3, 1]
    for k, state in enumerate(listed["singlets"], start=1):
        atoms.calc = mlsemi.MLSemi(tiny, state=k)
        assert atoms.get_potential_energy() - ground == pytest.approx(state["energy_ev"], abs=1e-6)


def test_degenerate_states_share_a_symmetric_gradient(tiny):
    """Both components of a degenerate pair give the same forces, with the molecule's symmetry."""
    angles = 2.0 * np.pi / 3.0 * np.arange(3)
    hydrogens = np.stack([1.8 * np.cos(angles), 1.8 * np.sin(angles), [-0.6] * 3], axis=1)
    structure = mlsemi.Structure([7, 1, 1, 1], np.vstack([np.zeros(3), hydrogens]))
    energies = mlsemi.singlepoint(structure, parameters=tiny, singlets=9).singlets.energies
    close = np.flatnonzero(np.diff(energies) < 1e-8)
    assert close.size, "ammonia has degenerate states"
    pair = [excited_surface(structure, tiny, int(close[0]) + k).forces for k in (1, 2)]
    np.testing.assert_allclose(pair[0], pair[1], atol=1e-6)
    sizes = np.linalg.norm(pair[0][1:], axis=1)
    np.testing.assert_allclose(sizes, sizes[0], rtol=1e-5)
    assert sizes[0] > 1e-3


def test_properties_and_units(tiny, atoms):
    atoms.calc = mlsemi.MLSemi(tiny)
    record = mlsemi.singlepoint(atoms, parameters=tiny, forces=True).to_dict()
    assert atoms.get_potential_energy() == pytest.approx(record["energy_ev"])
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    np.testing.assert_allclose(atoms.get_forces(), record["forces_ev_per_angstrom"])
    np.testing.assert_allclose(atoms.get_charges(), record["charges_e"])
    np.testing.assert_allclose(atoms.get_dipole_moment(), record["dipole_e_angstrom"])
    for absent in (atoms.get_magnetic_moments, atoms.get_stress):
        with pytest.raises(PropertyNotImplementedError):
            absent()


def test_dispersion_and_temperature_reach_the_energy(tiny, atoms):
    def energy(**settings):
        atoms.calc = mlsemi.MLSemi(tiny, **settings)
        return atoms.get_potential_energy()

    record = mlsemi.singlepoint(atoms, parameters=tiny).to_dict()
    assert energy() - energy(dispersion=False) == pytest.approx(record["dispersion_ev"])
    warm = mlsemi.singlepoint(atoms, parameters=tiny, electronic_temperature=2e4).to_dict()
    assert energy(electronic_temperature=2e4) == pytest.approx(warm["energy_ev"])
    assert warm["energy_ev"] < record["energy_ev"] - 0.01


@pytest.fixture
def computed(monkeypatch):
    """What is really computed: with or without orbitals, with or without forces."""
    calls = []

    def count(name):
        original = getattr(calculator, name)

        def counted(*given, **requests):
            calls.append((name, requests.get("forces", False)))
            return original(*given, **requests)

        monkeypatch.setattr(calculator, name, counted)

    count("molecular")
    count("potential_energy")
    return calls


def test_computes_only_what_is_asked_and_new(tiny, atoms, computed):
    atoms.calc = mlsemi.MLSemi(tiny)
    atoms.get_dipole_moment()
    atoms.get_charges()
    atoms.get_potential_energy()
    expected = [("molecular", False)]
    assert computed == expected
    atoms.get_forces()
    atoms.get_charges()
    atoms.get_potential_energy()
    expected += [("potential_energy", True)]
    assert computed == expected
    assert not atoms.calc.calculation_required(atoms, ["energy", "forces"])
    atoms.set_cell([9.0, 9.0, 9.0])
    assert not atoms.calc.calculation_required(atoms, ["forces"])
    atoms.positions[0, 0] += 0.01
    assert atoms.calc.calculation_required(atoms, ["energy"])
    atoms.get_forces()
    expected += [("potential_energy", True)]
    assert computed == expected
    atoms.get_dipole_moment()
    atoms.get_forces()
    assert computed == [*expected, ("molecular", False)]


def test_results_of_old_settings_are_forgotten(tiny, atoms, computed):
    atoms.calc = mlsemi.MLSemi(tiny)
    before = atoms.get_potential_energy()
    assert atoms.calc.set(threads=1, dispersion=True) == {}
    atoms.get_potential_energy()
    assert len(computed) == 1
    assert atoms.calc.set(dispersion=False) == {"dispersion": False}
    assert atoms.get_potential_energy() > before
    assert len(computed) == 2
    assert atoms.calc.set(parameters=tiny) == {}
    with pytest.raises(InputError, match="no parameter statte"):
        atoms.calc.set(statte=1)


def test_copies_and_pickles_are_independent_and_equal(tiny, atoms):
    atoms.calc = mlsemi.MLSemi(tiny, state=2)
    energy = atoms.get_potential_energy()
    for other in (copy.deepcopy(atoms.calc), pickle.loads(pickle.dumps(atoms.calc))):
        assert other.results["energy"] == energy
        assert other.parameters == atoms.calc.parameters
        moved = atoms.copy()
        moved.positions[1] += 0.05
        moved.calc = other
        assert moved.get_potential_energy() != energy
        assert atoms.calc.results["energy"] == energy
        assert other.surface is not atoms.calc.surface


def test_restart(tiny, folder, atoms, tmp_path, computed):
    first = mlsemi.MLSemi(str(folder), dispersion=False, electronic_temperature=500.0)
    atoms.calc = first
    forces = atoms.get_forces()
    first.write(tmp_path / "calc")
    again = mlsemi.MLSemi(restart=tmp_path / "calc")
    assert again.parameters == first.parameters
    same = again.get_atoms()
    np.testing.assert_array_equal(same.get_forces(), forces)
    assert len(computed) == 1
    built = mlsemi.MLSemi(**first.todict())
    assert built.parameters == first.parameters
    with pytest.raises(ReadError, match="cannot be read"):
        mlsemi.MLSemi(restart=tmp_path / "nothing")
    by_object = mlsemi.MLSemi(tiny)
    by_object.write(tmp_path / "object")
    with pytest.raises(ParameterError, match="no parameter set 'tiny'"):
        mlsemi.MLSemi(restart=tmp_path / "object")


def test_a_changed_parameter_set_is_noticed(atoms, tmp_path):
    folder = write_tiny_parameters(tmp_path / "tiny")
    atoms.calc = mlsemi.MLSemi(str(folder))
    atoms.calc.write(tmp_path / "calc")
    text = (tmp_path / "calc.json").read_text()
    checksum = atoms.calc.parameter_set.checksum
    (tmp_path / "calc.json").write_text(text.replace(checksum, "0" * 64))
    with pytest.raises(ReadError, match="another parameter set"):
        mlsemi.MLSemi(restart=tmp_path / "calc")


def test_results_travel_through_files(tiny, atoms, tmp_path):
    atoms.calc = mlsemi.MLSemi(tiny)
    forces = atoms.get_forces()
    write(tmp_path / "frame.xyz", atoms, format="extxyz")
    back = read(tmp_path / "frame.xyz")
    assert isinstance(back.calc, SinglePointCalculator)
    np.testing.assert_allclose(back.get_forces(), forces, atol=1e-7)
    assert back.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-7)


def test_many_threads_give_the_same_bits(tiny):
    rng = np.random.default_rng(3)
    frames = [molecule("CH3CONH2") for _ in range(6)]
    for frame in frames:
        frame.positions += 0.05 * rng.normal(size=frame.positions.shape)

    def walk(state, out):
        calc = mlsemi.MLSemi(tiny, state=state, follow=False)
        for frame in frames:
            own = frame.copy()
            own.calc = calc
            out.append((own.get_forces().tobytes(), own.get_potential_energy()))

    alone, together = {}, [[] for _ in range(6)]
    for state in (0, 2):
        walk(state, alone.setdefault(state, []))
    workers = [
        threading.Thread(target=walk, args=(2 * (k % 2), out)) for k, out in enumerate(together)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for k, out in enumerate(together):
        assert out == alone[2 * (k % 2)]


def test_it_drives_ase(tiny, atoms):
    atoms.calc = mlsemi.MLSemi(tiny)
    before = atoms.get_potential_energy()
    BFGS(atoms, logfile=None, maxstep=0.02).run(steps=3)
    assert atoms.get_potential_energy() < before


def test_wrong_requests_are_refused(tiny, atoms):
    with pytest.raises(InputError, match="ground state"):
        mlsemi.MLSemi(tiny, state=-1)
    with pytest.raises(InputError, match="electronic temperature -5"):
        mlsemi.MLSemi(tiny, electronic_temperature=-5.0)
    atoms.calc = mlsemi.MLSemi(tiny, state=25)
    with pytest.raises(InputError, match="no excited singlet 25: there are 24"):
        atoms.get_potential_energy()
    with pytest.raises(InputError, match="give atoms"):
        mlsemi.MLSemi(tiny).excitations(singlets=1)


def test_uncertainties_are_those_of_the_single_point(tiny, atoms):
    with pytest.raises(InputError, match="no committee"):
        mlsemi.MLSemi(tiny).uncertainty(atoms)
    form = tiny.model.form
    shape = (len(form.elements), 1 + form.n_invariant, 3, 4)
    shifts = 1e-3 * np.random.default_rng(0).normal(size=shape)
    sure = mlsemi.MLSemi(tiny.with_committee(Committee(shifts, {}, np.ones(shape[0])), {}))
    with pytest.raises(InputError, match="atoms"):
        sure.uncertainty()
    found = sure.uncertainty(atoms)
    expected = mlsemi.singlepoint(atoms, parameters=sure.parameter_set).uncertainty
    assert found["homo_ev"] == pytest.approx(expected.homo * HARTREE_EV)
    assert found["charges_e"] == pytest.approx(expected.charges)
    states = sure.excitations(atoms, singlets=2)["singlets"]
    assert min(state["uncertainty_ev"] for state in states) > 0.0
