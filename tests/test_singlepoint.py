import json
from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule
from molecules import distorted, parameters_of, random_model

from mlsemi.errors import InputError
from mlsemi.singlepoint import _doubts, singlepoint
from mlsemi.structure import Structure


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
    """Levels, charges and excitations stay; energy and forces would be those of the neutral one."""
    result = singlepoint(molecule("HCOOH"), charge=charge, parameters=parameters, singlets=2)
    assert result.charges.sum() == pytest.approx(charge, abs=1e-11)
    assert "neutral molecules only" in result.warnings[0]
    assert "no energy and forces" in result.warnings[0]
    assert result.energy is result.dispersion is result.forces is None
    record = result.to_dict()
    assert not {"energy_ev", "dispersion_ev", "forces_ev_per_angstrom"} & set(record)
    assert len(record["excitations"]["singlets"]) == 2
    with pytest.raises(InputError, match=r"^forces at charge [+-]2: .* neutral"):
        singlepoint(molecule("HCOOH"), charge=charge, parameters=parameters, forces=True)


def test_the_energy_of_a_neutral_molecule_stays(parameters):
    atoms = molecule("HCOOH")
    atoms.info["charge"] = 0
    assert singlepoint(atoms, parameters=parameters, charge=2).energy is None
    assert np.isfinite(singlepoint(atoms, parameters=parameters).energy)


def test_lone_atoms_and_full_shells(parameters):
    for numbers, charge in (([8], 0), ([1], -1), ([7], -5 + 2), ([1, 1], 0)):
        x = np.array([[0.0, 0.0, 1.4 * n] for n in range(len(numbers))])
        result = singlepoint(Structure(numbers, x, charge), parameters=parameters)
        assert np.isfinite(result.state.energies).all()
        assert (result.energy is None) == bool(charge)
        assert result.charges.sum() == pytest.approx(charge, abs=1e-12)
        json.dumps(result.to_dict())


def test_refusals(parameters):
    with pytest.raises(InputError, match="element S"):
        singlepoint(molecule("SH2"), parameters=parameters)
    water = molecule("H2O")
    for asked, text in (
        ({"singlets": -1}, "whole number"),
        ({"triplets": 1.5}, "whole number"),
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
    (text,) = _doubts({"triplet": 1}, {"triplets": low})
    assert "the lowest triplet lies below the ground state" in text
    assert _doubts({"triplet": 1}, {"triplets": few.triplets}) == ()


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
