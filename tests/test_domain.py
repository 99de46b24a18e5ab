import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from molecules import SMALL, distorted, random_model

from mlsemi import MLSemi
from mlsemi.domain import (
    feature_distance,
    fit_domain,
    outside,
    outside_text,
    without_usual_bond,
)
from mlsemi.errors import DomainWarning
from mlsemi.pairs import PairList
from mlsemi.structure import Structure
from mlsemi.units import BOHR_ANGSTROM

TRAINING = [distorted(name, seed) for seed in range(4) for name in ("HCOOH", "CH3CONH2")]
MODEL = random_model()


def seen(structures):
    pairs = PairList.of(structures, SMALL.elements, SMALL.cutoff)
    return pairs, MODEL.predict(pairs)[1].features.invariants


@pytest.fixture(scope="module")
def fitted():
    pairs, invariants = seen(TRAINING)
    return fit_domain(pairs.species, invariants, len(SMALL.elements))


def test_distance_is_one_on_average(fitted):
    pairs, invariants = seen(TRAINING)
    distance = feature_distance(pairs.species, invariants, fitted)
    for _, rows in pairs.groups:
        assert np.mean(distance[rows] ** 2) == pytest.approx(1.0, rel=1e-3)
        limit = fitted["domain.limit"][pairs.species[rows]][0]
        assert limit == pytest.approx(distance[rows].max())


def test_a_few_atoms_of_many_are_outside():
    """A single strange atom does not set the limit."""
    rng = np.random.default_rng(0)
    invariants = rng.normal(size=(4000, 3))
    invariants[0] = 50.0
    species = np.zeros(4000, dtype=int)
    weights = fit_domain(species, invariants, 1)
    beyond = feature_distance(species, invariants, weights) > weights["domain.limit"][0]
    assert beyond[0]
    assert 1 <= beyond.sum() <= 4


def test_training_molecules_are_inside(fitted):
    for structure in TRAINING:
        assert outside(*seen([structure]), fitted).size == 0


def test_strange_surroundings_are_named_in_the_order_of_the_structure(fitted):
    strange = distorted("CH3NO2", seed=1)
    atoms = outside(*seen([strange]), fitted)
    assert atoms.size > 0
    assert 7 in strange.numbers[atoms]


def test_atoms_inside_one_by_one_are_outside_together():
    """Every atom at the same fraction of the limit: one is like a training atom, many are not."""
    rng = np.random.default_rng(0)
    invariants, species = rng.normal(size=(4000, 3)), np.zeros(4000, dtype=int)
    weights = fit_domain(species, invariants, 1)
    far = weights["domain.center"] + 2.0 * weights["domain.spread"]
    assert weights["domain.limit"][0] > 2.0
    for n_atom, expected in ((1, 0), (3, 0), (60, 60)):
        atoms = SimpleNamespace(
            n_atom=n_atom, species=np.zeros(n_atom, dtype=int), atom=np.arange(n_atom)
        )
        assert outside(atoms, np.repeat(far, n_atom, axis=0), weights).size == expected


def test_species_without_data_have_no_distance(fitted):
    pairs, invariants = seen(TRAINING[:1])
    alone = fit_domain(pairs.species, invariants, len(SMALL.elements))
    nitrogen = SMALL.elements.index(7)
    assert np.isinf(alone["domain.spread"][nitrogen]).all()
    assert set(fitted) == set(alone) <= set(SMALL.shapes())
    for name, value in alone.items():
        assert value.shape == SMALL.shapes()[name]


@pytest.mark.parametrize(
    ("numbers", "distance", "strange"),
    [((1, 1), 0.74, 0), ((1, 1), 0.3, 2), ((1, 1), 8.0, 2), ((6, 8), 1.13, 0), ((6, 8), 2.0, 2)],
)
def test_broken_and_crushed_bonds(numbers, distance, strange):
    x = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance / BOHR_ANGSTROM]])
    structure = Structure(np.array(numbers), x)
    atoms = without_usual_bond(structure)
    assert atoms.size == strange
    assert len(outside_text(structure, atoms)) == bool(strange)


def test_only_the_atom_that_has_left_is_named():
    structure = distorted("CH4")
    hydrogen = int(np.flatnonzero(structure.numbers == 1)[2])
    x = np.array(structure.positions)
    carbon = x[structure.numbers == 6][0]
    x[hydrogen] = carbon + 3.0 * (x[hydrogen] - carbon)
    far = Structure(structure.numbers, x)
    assert without_usual_bond(structure).size == 0
    assert without_usual_bond(far).tolist() == [hydrogen]
    assert outside_text(far, without_usual_bond(far)) == (
        f"outside the training domain: surroundings of atoms {hydrogen} (H)",
    )


def test_a_calculator_says_once_that_a_bond_broke():
    atoms = Atoms("HF", positions=[[0.0, 0.0, 0.0], [0.0, 0.0, 0.92]])
    atoms.calc = MLSemi()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms.get_potential_energy()
        atoms.positions[1, 2] = 2.0
        with pytest.raises(DomainWarning, match=r"atoms 0 \(H\), 1 \(F\)"):
            atoms.get_potential_energy()
        atoms.positions[1, 2] = 2.1
        atoms.get_potential_energy()
