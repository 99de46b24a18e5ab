import json
from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule
from molecules import distorted, parameters_of, random_model, symmetric

from mlsemi.errors import ConvergenceError, InputError, ParameterError
from mlsemi.evaluate import singlepoint
from mlsemi.excited.method import Method
from mlsemi.molecule.structure import Structure
from mlsemi.records.doubts import excitation_doubts
from mlsemi.units import HARTREE_EV


@pytest.fixture(scope="module")
def parameters():
    return parameters_of(random_model(seed=8))


@pytest.fixture(scope="module")
def result(parameters):
    return singlepoint(distorted("CH3CONH2"), parameters=parameters)


def test_orbitals_solve_the_generalized_problem(result):
    """H C = S C eps with H = S^1/2 H_o S^1/2 (theory eq 1); density and charges follow from C."""
    c, s = result.orbitals, result.overlap
    np.testing.assert_allclose(c.T @ s @ c, np.eye(s.shape[0]), atol=1e-11)
    n = result.state.n_occupied
    np.testing.assert_allclose(result.density, 2.0 * c[:, :n] @ c[:, :n].T, atol=1e-11)
    assert np.trace(result.density @ s) == pytest.approx(2 * n)
    assert result.charges.sum() == pytest.approx(0.0, abs=1e-11)
    assert result.mulliken_charges.sum() == pytest.approx(0.0, abs=1e-11)
    bonds = result.bond_orders
    np.testing.assert_allclose(bonds, bonds.T, atol=1e-12)


def test_sources_are_equivalent(parameters, tmp_path):
    atoms = molecule("HCOOH")
    path = tmp_path / "acid.xyz"
    atoms.write(path)
    from_ase = singlepoint(atoms, parameters=parameters)
    for source in (Structure.from_ase(atoms), path, str(path)):
        other = singlepoint(source, parameters=parameters)
        np.testing.assert_allclose(other.state.energies, from_ase.state.energies, atol=1e-7)
    assert singlepoint(atoms, parameters=parameters, threads=2).energy == from_ase.energy


def test_parameters_by_path(parameters, tmp_path):
    parameters.save(tmp_path / "mine")
    atoms = molecule("H2O")
    one = singlepoint(atoms, parameters=tmp_path / "mine")
    two = singlepoint(atoms, parameters=parameters)
    np.testing.assert_array_equal(one.state.energies, two.state.energies)


def test_only_what_was_asked_for(result):
    assert result.forces is None
    assert result.singlets is None
    assert result.triplets is None
    record = result.to_dict()
    assert "forces_ev_per_angstrom" not in record
    assert "excitations" not in record


def test_record_is_json(parameters):
    result = singlepoint(
        distorted("HCOOH"), parameters=parameters, singlets=2, triplets=1, forces=True
    )
    record = json.loads(json.dumps(result.to_dict()))
    assert record["gap_ev"] == pytest.approx(record["lumo_ev"] - record["homo_ev"])
    assert np.shape(record["forces_ev_per_angstrom"]) == (5, 3)
    assert [len(record["excitations"][key]) for key in ("singlets", "triplets")] == [2, 1]
    assert record["structure"]["symbols"] == result.structure.symbols
    assert set(record["timings_s"]) >= {"total", "hamiltonian", "electronic", "forces"}


@pytest.mark.parametrize("charge", [2, -2])
def test_charged_molecules_come_with_a_warning(parameters, charge):
    result = singlepoint(molecule("HCOOH"), charge=charge, parameters=parameters, singlets=2)
    assert result.charges.sum() == pytest.approx(charge, abs=1e-11)
    assert "closed shells only" in result.warnings[0]
    assert "no energy and forces" not in result.warnings[0]
    record = result.to_dict()
    neutral = singlepoint(molecule("HCOOH"), parameters=parameters)
    assert abs(record["energy_ev"] - neutral.energy * HARTREE_EV) > 0.1
    assert len(record["excitations"]["singlets"]) == 2
    assert "orbital_energies_beta_ev" not in record


@pytest.mark.parametrize(
    ("name", "charge", "multiplicity"), [("CH3", 0, 2), ("CH3", 1, 1), ("CH3", -1, 1), ("NO", 0, 4)]
)
def test_radicals_and_their_ions_have_no_energy(parameters, name, charge, multiplicity):
    given = {"charge": charge, "multiplicity": multiplicity, "parameters": parameters}
    result = singlepoint(molecule(name), **given)
    assert result.energy is result.dispersion is result.forces is None
    assert any("no energy and forces" in text for text in result.warnings)
    assert not {"energy_ev", "dispersion_ev", "forces_ev_per_angstrom"} & set(result.to_dict())
    with pytest.raises(InputError, match=r"^forces at charge .* odd number of electrons"):
        singlepoint(molecule(name), forces=True, **given)


def test_an_open_shell_in_the_record(parameters):
    """Levels of both spins; HOMO and LUMO of either; sums that electrons must give."""
    record = singlepoint(molecule("HCOOH"), charge=1, parameters=parameters).to_dict()
    alpha, beta = record["orbital_energies_ev"], record["orbital_energies_beta_ev"]
    n_alpha, n_beta = record["n_occupied"], record["n_occupied_beta"]
    assert (n_alpha, n_beta) == (9, 8)
    assert record["homo_ev"] == max(alpha[n_alpha - 1], beta[n_beta - 1])
    assert record["lumo_ev"] == min(alpha[n_alpha], beta[n_beta])
    assert record["gap_ev"] == pytest.approx(record["lumo_ev"] - record["homo_ev"])
    assert sum(record["spin_populations"]) == pytest.approx(1.0)
    assert record["s2"] == pytest.approx(0.75, abs=0.05)
    assert record["structure"]["multiplicity"] == 2
    assert "occupations" not in record


def test_bond_orders_of_both_spins(parameters):
    """Half a bond in H2+, none in triplet H2, one in H2."""
    atoms = molecule("H2")
    for given, order in (((0, 1), 1.0), ((1, 2), 0.5), ((0, 3), 0.0)):
        found = singlepoint(atoms, charge=given[0], multiplicity=given[1], parameters=parameters)
        assert found.bond_orders[0, 1] == pytest.approx(order, abs=1e-9)
        assert np.trace(found.density @ found.overlap) == pytest.approx(2.0 - given[0])


def test_degenerate_levels_of_an_ion_say_how_they_are_filled():
    record = singlepoint(symmetric("C6H6")[0], charge=1, multiplicity=2).to_dict()
    occupations, n = record["occupations_beta"], record["n_occupied_beta"]
    np.testing.assert_allclose(occupations[n - 1 : n + 1], 0.5, atol=1e-6)
    assert sum(record["occupations"]) == pytest.approx(15.0)
    assert record["electronic_entropy_term_ev"] < 0.0


def test_an_energy_needs_no_gap_where_its_gradient_does(parameters):
    """An oxygen atom with paired electrons in a solvent, without and with forces."""
    atom = Structure([8], np.zeros((1, 3)))
    assert np.isfinite(singlepoint(atom, solvent="water", parameters=parameters).energy)
    with pytest.raises(ConvergenceError, match="have the same energy"):
        singlepoint(atom, solvent="water", forces=True, parameters=parameters)


def test_polarizability(parameters):
    """Of a neutral molecule too, whose results stay as they are; of an ion, with a word."""
    plain = singlepoint(distorted("HCOOH"), parameters=parameters)
    found = singlepoint(distorted("HCOOH"), parameters=parameters, polarizability=True)
    assert plain.polarizability is None
    assert "polarizability_bohr3" not in plain.to_dict()
    assert found.response is None
    assert found.energy == plain.energy
    assert np.shape(found.to_dict()["polarizability_bohr3"]) == (3, 3)
    h = 1e-3
    for axis in range(3):
        up, down = (
            singlepoint(distorted("HCOOH"), parameters=parameters, field=s * h * np.eye(3)[axis])
            for s in (1, -1)
        )
        slope = (up.dipole - down.dipole) / (2.0 * h)
        np.testing.assert_allclose(slope, found.polarizability[:, axis], atol=1e-7)
    ion = singlepoint(molecule("HCOOH"), parameters=parameters, charge=1, polarizability=True)
    assert any("polarisability is that of the neutral" in text for text in ion.warnings)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"solvent": "vodka"}, "no solvent 'vodka' .there are acetic acid"),
        ({"solvent": 0.5}, "dielectric constant 0.5"),
        ({"solvent": [1]}, "give a name or a dielectric constant"),
        ({"solvent": True}, "give a name or a dielectric constant"),
        ({"field": (1, 2)}, "field: need finite numbers of shape"),
        ({"field": "x"}, "field: need numbers, not 'x'"),
        ({"field": (0, 0, np.nan)}, "field: need finite numbers"),
        ({"point_charges": ([1.0], [[9, 9, 9], [1, 1, 1]])}, "charge positions: need finite"),
        ({"point_charges": ([1.0],)}, "give their charges and their positions"),
        ({"point_charges": (["x"], [[9, 9, 9]])}, "point charges: need numbers"),
        ({"multiplicity": 3, "singlets": 1}, "excited states at multiplicity 3: there are"),
        ({"multiplicity": 3, "max_energy": 0.3}, "excited states at multiplicity 3: there are"),
        ({"charge": 1, "triplets": 1}, "excited states at multiplicity 2: there are"),
        ({"doublets": 1}, "excited states at multiplicity 1: there are"),
        ({"charge": 1, "doublets": -1}, "-1 excited states"),
        ({"charge": 1, "doublets": 1, "max_energy": 0.3}, "a number of states or an upper bound"),
        ({"charge": 1, "doublets": 1, "method": Method(full=True)}, "open shells: Tamm-Dancoff"),
    ],
)
def test_surroundings_and_spins_that_are_refused(parameters, given, reason):
    with pytest.raises(InputError, match=reason):
        singlepoint(molecule("HCOOH"), parameters=parameters, **given)


def test_a_field_too_strong_for_linear_response(parameters):
    for size, said in ((0.01, False), (0.1, True)):
        result = singlepoint(molecule("HCOOH"), parameters=parameters, field=(0, 0, size))
        assert any("polarisation is taken as linear" in t for t in result.warnings) == said


def test_lone_atoms_and_full_shells(parameters):
    for numbers, charge in (([8], 0), ([1], -1), ([7], -5 + 2), ([1, 1], 0)):
        x = np.array([[0.0, 0.0, 1.4 * n] for n in range(len(numbers))])
        result = singlepoint(Structure(numbers, x, charge), parameters=parameters)
        assert np.isfinite(result.state.energies).all()
        assert (result.energy is None) == bool(charge)  # H and N have odd numbers of electrons
        assert result.charges.sum() == pytest.approx(charge, abs=1e-12)
        json.dumps(result.to_dict())


def test_refusals(parameters):
    with pytest.raises(InputError, match="element S"):
        singlepoint(molecule("SH2"), parameters=parameters)
    water = molecule("H2O")
    for asked, text in (
        ({"singlets": -1}, "whole number"),
        ({"triplets": 1.5}, "not an integer"),
        ({"triplets": None}, "not an integer"),
        ({"max_energy": "x"}, "more than zero"),
        ({"method": "full"}, "give a Method"),
        ({"electronic_temperature": "300"}, "temperature '300' K"),
        ({"electronic_temperature": None}, "temperature None K"),
        ({"threads": None}, "None threads"),
        ({"threads": "1"}, "'1' threads"),
        ({"max_energy": -1.0}, "above zero|more than zero"),
        ({"max_energy": float("nan")}, "above zero|more than zero"),
        ({"max_energy": 0.3, "singlets": 2}, "not both"),
        ({"threads": 0}, "0 threads"),
        ({"threads": 10**5}, "100000 threads"),
        ({"charge": 0.5}, "not an integer"),
        ({"charge": float("nan")}, "not an integer"),
    ):
        with pytest.raises(InputError, match=text):
            singlepoint(water, parameters=parameters, **asked)
    for source in (None, [water], 5):
        with pytest.raises(InputError, match=r"give a path, ase\.Atoms or a Structure"):
            singlepoint(source, parameters=parameters)
    with pytest.raises(ParameterError, match="parameters 5: give a name or a path"):
        singlepoint(water, parameters=5)


def test_a_temperature_below_that_of_open_shells_is_raised_and_said(parameters):
    for kelvin, said in ((100.0, True), (0.0, False), (5000.0, False)):
        found = singlepoint(
            molecule("H2O"), charge=1, parameters=parameters, electronic_temperature=kelvin
        )
        assert any("316 K at least" in text for text in found.warnings) == said


def test_charge_of_atoms_and_structures(parameters):
    atoms = molecule("H2O")
    atoms.info["charge"] = 2
    structure = Structure.from_ase(atoms, 2)
    for source in (atoms, structure):
        assert singlepoint(source, parameters=parameters).structure.charge == 2
        assert singlepoint(source, parameters=parameters, charge=0).structure.charge == 0


def test_a_closed_gap_is_said(parameters, monkeypatch):
    """Two far hydrogen atoms: one orbital of each, of the same energy."""
    x = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 30.0]])
    far = Structure(np.array([1, 1]), x)
    warned = " ".join(singlepoint(far, parameters=parameters).warnings)
    assert "the gap is 0.00 eV" in warned
    assert "outside the training domain" in warned
    warm = singlepoint(far, parameters=parameters, electronic_temperature=3000.0)
    assert "the gap" not in " ".join(warm.warnings)
    np.testing.assert_allclose(warm.charges, 0.0, atol=1e-12)
    usual = singlepoint(molecule("CH4"), parameters=parameters).warnings
    assert not [text for text in usual if "gap" in text]


def test_domain_of_the_training_set(parameters):
    """Atoms far from what was seen in training are named in a warning."""
    model = parameters.model
    quiet = dict(model.weights) | {"domain.limit": np.full_like(model.weights["domain.limit"], 1e9)}
    loud = dict(model.weights) | {"domain.limit": np.full_like(model.weights["domain.limit"], 1e-9)}
    texts = []
    for weights in (quiet, loud):
        changed = replace(parameters, model=replace(model, weights=weights))
        texts.append(singlepoint(molecule("H2O"), parameters=changed).warnings)
    assert texts[0] == ()
    assert "training domain" in texts[1][0]


def test_doubtful_states_are_named(parameters):
    """Hydrogen has one configuration; a triplet may come out below the ground state."""
    few = singlepoint(molecule("H2"), parameters=parameters, singlets=5, triplets=1)
    assert few.singlets.n_state == 1
    assert few.warnings[-1] == "only 1 singlets exist in the minimal basis"
    low = replace(few.triplets, energies=few.triplets.energies - 2.0 * few.triplets.energies[0])
    (text,) = excitation_doubts({"triplet": 1}, {"triplet": low})
    assert "the lowest triplet lies below the ground state" in text
    assert excitation_doubts({"triplet": 1}, {"triplet": few.triplets}) == ()


def test_electronic_temperature(parameters):
    """Occupations between 2 and 0, a lower free energy, and forces that are its gradient."""
    structure = distorted("CH3CONH2")
    request = {"parameters": parameters, "forces": True, "electronic_temperature": 8000.0}
    warm = singlepoint(structure, **request)
    cold = singlepoint(structure, parameters=parameters)
    assert warm.energy < cold.energy - 1e-4
    record = warm.to_dict()
    assert record["electronic_temperature_k"] == pytest.approx(8000.0)
    assert sum(record["occupations"]) == pytest.approx(structure.n_electron)
    assert min(abs(f - 1.0) for f in record["occupations"]) < 0.9
    assert record["electronic_entropy_term_ev"] < -0.01
    assert warm.charges.sum() == pytest.approx(0.0, abs=1e-10)
    assert np.abs(warm.charges - cold.charges).max() > 1e-4
    assert "occupations" not in cold.to_dict()
    direction = np.random.default_rng(2).normal(size=structure.positions.shape)

    def energy(t):
        moved = Structure(structure.numbers, structure.positions + t * direction)
        return singlepoint(moved, **request).energy

    slope = (8.0 * (energy(1e-3) - energy(-1e-3)) - energy(2e-3) + energy(-2e-3)) / 12e-3
    assert -np.sum(warm.forces * direction) == pytest.approx(slope, abs=1e-7)


def test_smeared_density_gives_the_observables(parameters):
    warm = singlepoint(distorted("HCOOH"), parameters=parameters, electronic_temperature=9000.0)
    c, f = warm.orbitals, warm.state.occupations
    np.testing.assert_allclose(warm.density, (c * f) @ c.T, atol=1e-11)
    assert np.abs(f - np.round(f)).max() > 1e-3


@pytest.mark.parametrize("kelvin", [-1.0, np.nan, np.inf])
def test_no_temperature(parameters, kelvin):
    with pytest.raises(InputError, match="electronic temperature"):
        singlepoint(molecule("H2O"), parameters=parameters, electronic_temperature=kelvin)


def test_excited_states_do_not_see_the_temperature(parameters):
    structure = distorted("HCOOH")
    warm = singlepoint(structure, parameters=parameters, singlets=2, electronic_temperature=9000.0)
    cold = singlepoint(structure, parameters=parameters, singlets=2)
    np.testing.assert_array_equal(warm.singlets.energies, cold.singlets.energies)
