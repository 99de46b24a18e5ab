import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import read
from molecules import SMALL, distorted, random_model
from scipy.optimize import brentq

from mlsemi import MLSemi
from mlsemi.errors import DomainWarning, InputError
from mlsemi.model.applicability import (
    CLOSEST,
    MOST_TOUCHING,
    check_energy,
    doubts,
    has_energy,
    molecules,
    outside_text,
    without_usual_bond,
)
from mlsemi.model.catalogue import shapes_of
from mlsemi.model.terms.domain import feature_distance, fit_domain, outside
from mlsemi.molecule.elements import covalent_radius, van_der_waals_radius
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.units import BOHR_ANGSTROM

TRAINING = [distorted(name, seed) for seed in range(4) for name in ("HCOOH", "CH3CONH2")]
MODEL = random_model()
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def seen(structures):
    pairs = PairList.of(structures, SMALL.elements, SMALL.cutoff)
    return pairs, MODEL.invariants(pairs)


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
    assert set(fitted) == set(alone) <= set(shapes_of(SMALL))
    for name, value in alone.items():
        assert value.shape == shapes_of(SMALL)[name]


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
    assert molecules(far).max() == 1
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
        atoms.positions[1, 2] = 2.4
        with pytest.raises(DomainWarning, match=r"atoms 0 \(H\), 1 \(F\)"):
            atoms.get_potential_energy()
        atoms.positions[1, 2] = 2.5
        atoms.get_potential_energy()


def apart(first, second, distance, turn=0.0):
    """Two molecules, their nearest atoms this many van der Waals sums apart along z."""
    a, b = first.copy(), second.copy()
    b.rotate(turn, "x", center="COM")
    z, radius = np.array([0.0, 0.0, 1.0]), van_der_waals_radius
    for height in np.arange(0.0, 60.0, 0.02):
        x = b.positions + height * z
        sums = radius(a.numbers)[:, None] + radius(b.numbers)
        gaps = np.linalg.norm(a.positions[:, None] - x, axis=2) / BOHR_ANGSTROM / sums
        if gaps.min() > distance:
            b.positions = x
            return Structure.from_ase(a + b)
    raise AssertionError("never apart")


DIMERS = {
    "water": ("H2O", "H2O", 90.0),
    "water, two donors": ("H2O", "H2O", 180.0),
    "ammonia": ("NH3", "NH3", 180.0),
    "formic acid": ("HCOOH", "HCOOH", 90.0),
    "formic acid, stacked": ("HCOOH", "HCOOH", 0.0),
    "amides": ("CH3CONH2", "CH3CONH2", 180.0),
    "benzene, sandwich": ("C6H6", "C6H6", 0.0),
    "benzene, T": ("C6H6", "C6H6", 90.0),
    "pyridine": ("C5H5N", "C5H5N", 0.0),
    "pyrrole, benzene": ("C4H4NH", "C6H6", 0.0),
    "ethene, ethyne": ("C2H4", "C2H2", 90.0),
    "ethene": ("C2H4", "C2H4", 90.0),
    "methane": ("CH4", "CH4", 0.0),
    "benzene, water": ("C6H6", "H2O", 180.0),
    "benzene, ammonia": ("C6H6", "NH3", 180.0),
    "benzene, HCN": ("C6H6", "HCN", 0.0),
    "benzene, methane": ("C6H6", "CH4", 0.0),
    "methanol, water": ("CH3OH", "H2O", 90.0),
    "methylamine, water": ("H3CNH2", "H2O", 0.0),
    "HF": ("HF", "HF", 90.0),
    "HCl, ammonia": ("HCl", "NH3", 180.0),
    "hydrogen sulfide, water": ("SH2", "H2O", 0.0),
}


@pytest.mark.parametrize("name", DIMERS)
def test_every_dimer_says_so_at_every_distance(name):
    first, second, turn = DIMERS[name]
    for distance in (0.75, 0.9, 1.0, 1.2, 2.0, 10.0):
        structure = apart(molecule(first), molecule(second), distance, turn)
        n_first = len(molecule(first))
        assert molecules(structure).tolist() == [int(i >= n_first) for i in range(structure.n_atom)]
        (text,) = doubts(structure).values()
        assert text.startswith("outside the training domain: 2 separate molecules: ")
        (text,) = doubts(structure, contacts_learned=True).values()
        assert "2 separate molecules" in text
        assert "shift" not in text


def test_molecules_in_sizes_from_one_atom_to_a_cage():
    assert molecules(Structure([8], np.zeros((1, 3)))).tolist() == [0]
    assert "molecules" not in doubts(Structure([8], np.zeros((1, 3))))
    cage = read(EXAMPLES / "C60.xyz")
    cage.positions -= cage.positions.mean(axis=0)
    assert molecules(Structure.from_ase(cage)).max() == 0
    inside = Structure.from_ase(molecule("H2O") + cage)
    assert np.bincount(molecules(inside)).tolist() == [3, 60]
    assert "2 separate molecules" in doubts(inside)["molecules"]
    many = Structure(np.tile([8, 1, 1], 64), np.concatenate([_water(n) for n in range(64)]))
    assert "64 separate molecules" in doubts(many)["molecules"]


def _water(n):
    """The n-th of 64 waters on a cube of side 3 angstrom, bohr."""
    corner = 3.0 * np.array(np.unravel_index(n, (4, 4, 4)))
    return (molecule("H2O").positions + corner) / BOHR_ANGSTROM


def test_a_shared_proton_joins_no_molecules():
    """Hydrogen 1.15 and 1.25 angstrom from two oxygens: a bond to the nearer one alone."""
    x = [[0, 0, 0], [0, 0, 1.15], [0.96, 0, -0.1], [0, 0, 2.4], [0.9, 0, 2.7], [-0.9, 0.1, 2.7]]
    pair = Structure.from_ase(Atoms("OH2OH2", x))
    assert molecules(pair).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("stretch", [1.0, 2.5])
def test_parts_with_odd_electrons(stretch):
    """A broken bond, or the ions of a salt: neither is one of several molecules."""
    ethane = molecule("C2H6")
    bond = ethane.positions[1] - ethane.positions[0]
    far = np.linalg.norm(ethane.positions - ethane.positions[0], axis=1) > np.linalg.norm(
        ethane.positions - ethane.positions[1], axis=1
    )
    ethane.positions[far] += (stretch - 1.0) * bond
    found = doubts(Structure.from_ase(ethane))
    if stretch == 1.0:
        assert found == {}
    else:
        assert "2 separate parts, 2 of them with an odd number" in found["molecules"]
    salt = read(EXAMPLES / "ammonium.xyz") + Atoms("Cl", [[0.0, 0.0, 3.2 * stretch]])
    said = doubts(Structure.from_ase(salt))
    assert "ions" in said["molecules"]
    assert "charge" not in said


def chain_with_ends(first, second, ratio):
    """Four carbons on an arc, an atom on either end, this near to each other in van der Waals sums.

    Bonds are 1.2 sums of covalent radii long, so that the ends can be as far apart as a contact.
    """
    numbers = np.array([first, 6, 6, 6, 6, second])
    end = ratio * van_der_waals_radius(numbers[[0, -1]]).sum()
    lengths = 1.2 * np.convolve(covalent_radius(numbers), [1.0, 1.0], "valid")
    chords = np.append(lengths, end)  # of a circle on which the chain closes
    radius = brentq(lambda r: np.arcsin(chords / (2.0 * r)).sum() - np.pi, chords.max() / 2.0, 99.0)
    angle = np.append(0.0, np.cumsum(2.0 * np.arcsin(lengths / (2.0 * radius))))
    ring = radius * np.stack([np.cos(angle), np.sin(angle), np.zeros(6)], axis=1)
    return Structure(numbers, ring)


@pytest.mark.parametrize(("first", "second", "n_heavy"), [(1, 1, 0), (1, 7, 1), (8, 8, 2)])
def test_atoms_nearer_than_in_training_without_a_bond(first, second, n_heavy):
    """Only the pair at the ends is looked at: what lies between is not a molecule."""
    limit = CLOSEST[n_heavy]
    for ratio, strange in ((limit - 0.03, True), (limit + 0.03, False)):
        structure = chain_with_ends(first, second, ratio)
        assert molecules(structure).max() == 0
        assert ("contact" in doubts(structure)) == strange


def test_contacts_name_the_atoms():
    text = doubts(chain_with_ends(8, 8, 0.7))["contact"]
    assert "atoms 0 (O) and 5 (O), 2.13 angstrom apart without a bond" in text


def test_stacked_rings_touch_and_others_do_not():
    stacked = Structure.from_ase(read(EXAMPLES / "1,8-diphenylnaphthalene.xyz"))
    assert "17 pairs of atoms touch" in doubts(stacked)["folded"]
    assert MOST_TOUCHING < 17
    for name in ("caffeine", "porphin", "beta-carotene", "indigo", "C60", "p-nitroaniline"):
        assert doubts(Structure.from_ase(read(EXAMPLES / f"{name}.xyz"))) == {}


def test_doubts_do_not_depend_on_the_point_of_view():
    structure = apart(molecule("C6H6"), molecule("CH3CONH2"), 0.9)
    order = np.random.default_rng(0).permutation(structure.n_atom)
    turned = structure.positions[order][:, [1, 2, 0]] + 3.0
    other = Structure(structure.numbers[order], turned)
    assert doubts(other) == doubts(structure)
    label = molecules(other)
    assert len(set(zip(label, molecules(structure)[order], strict=True))) == 2


@pytest.mark.parametrize(
    ("name", "charge", "multiplicity", "known"),
    [
        ("H2O", 1, 2, True),
        ("H2O", 2, 1, True),
        ("HCOOH", -2, 1, True),
        ("HCOOH", 0, 3, True),
        ("CH3", 0, 2, False),
        ("NO", 0, 2, False),
        ("CH3", 1, 1, False),
        ("NO", -1, 3, False),
    ],
)
def test_energies_are_known_where_the_neutral_molecule_is_a_closed_shell(
    name, charge, multiplicity, known
):
    structure = Structure.from_ase(molecule(name), charge, multiplicity)
    assert has_energy(structure) == known
    text = doubts(structure)["charge"]
    assert "levels of ions and open shells are off by 0.3 to 0.7 eV" in text
    assert ("no energy and forces" in text) != known
    closed = multiplicity == 1
    assert has_energy(structure, ions_learned=True) == (known or closed)
    learned = doubts(structure, ions_learned=True)["charge"]
    assert "off by 0.2 to 0.5 eV" in learned
    assert ("neutral form is a radical by 0.4 eV" in learned) == (closed and not known)
    if known:
        check_energy(structure, "forces")
    else:
        with pytest.raises(InputError, match=rf"^forces at charge [+-]{abs(charge)}: .* odd"):
            check_energy(structure, "forces")


def test_nothing_is_said_of_a_neutral_closed_shell():
    water = Structure.from_ase(molecule("H2O"))
    assert "charge" not in doubts(water)
    check_energy(water, "forces")
    ammonium = Structure.from_ase(read(EXAMPLES / "ammonium.xyz"), 1)
    assert not has_energy(ammonium)


def test_a_calculator_says_each_kind_once():
    """Two waters, then a bond breaks as well."""
    atoms = molecule("H2O") + molecule("H2O")
    atoms.positions[3:, 0] += 3.0
    atoms.calc = MLSemi()
    with pytest.warns(DomainWarning, match="2 separate molecules") as caught:
        atoms.get_potential_energy()
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms.positions[3:, 0] += 0.1
        atoms.get_forces()
    atoms.positions[1, 2] += 3.0
    with pytest.warns(DomainWarning, match="surroundings of atoms 1") as caught:
        atoms.get_forces()
    assert len(caught) == 1
