"""Energies that know what a molecule is, in cells: molecules, bonds half broken, polymers."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from crystals import PERIODIC, polyethylene, sheet, skew, strained, structure
from harness import Move
from molecules import SMALL, random_model

from mlsemi.lattice.cell import Cell
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.units import BOHR_ANGSTROM

FORM = replace(SMALL, bonded=True)
MODEL = random_model(FORM)


def two_molecules(kind):
    """Formic acid and water in a skew cell, across its faces."""
    atoms = skew(kind) + Atoms("OH2", [[3.0, 3.4, 3.1], [3.6, 4.1, 3.2], [2.2, 3.8, 3.0]])
    atoms.set_cell(atoms.cell * 1.15)
    return structure(atoms)


def chain(kind="chain", gap=0.0):
    """Polyethylene without symmetry, along the second axis, in a cell of the kind.

    One of its bonds is longer by ``gap`` (angstrom).
    """
    atoms = polyethylene().repeat((1, 1, 2))
    atoms.rattle(0.05, seed=2)
    atoms.positions = atoms.positions[:, [0, 2, 1]]
    atoms.set_cell([[4.9, 0.3, 0.2], [0.0, 5.1 + gap, 0.0], [0.3, 0.2, 4.6]])
    atoms.pbc = PERIODIC[kind]
    return structure(atoms)


def layer():
    atoms = sheet().repeat((2, 1, 1))
    atoms.rattle(0.05, seed=2)
    return structure(atoms)


CASES = {
    **{f"molecules, {kind}": two_molecules(kind) for kind in PERIODIC},
    **{f"half broken, {kind}": chain(kind, 0.85) for kind in PERIODIC},
    **{f"polymer, {kind}": chain(kind) for kind in PERIODIC},
    "sheet": layer(),
}


def predicted(given, wanted=("atom_energies", "charges")):
    pairs = PairList.of([given], FORM.elements, FORM.cutoff)
    return pairs, *MODEL.predict(pairs, wanted)


def observed(given):
    """Energies, charges of levels and multipoles by atom, in the order of the structure."""
    pairs, out, _ = predicted(given, ("atom_energies", "charges", "multipoles"))
    rows = pairs.atoms_of(0)
    parts = (out.atom_energies[:, None], out.charges[:, None], out.multipoles)
    return np.concatenate(parts, axis=1)[rows]


def turned_moments(moments, rotation):
    """Charges, dipoles and quadrupoles (xx, xy, xz, yy, yz, zz) of turned atoms."""
    upper, tensors = np.triu_indices(3), np.empty((len(moments), 3, 3))
    tensors[:, upper[0], upper[1]] = tensors[:, upper[1], upper[0]] = moments[:, 4:]
    tensors = rotation @ tensors @ rotation.T
    return np.hstack([moments[:, :1], moments[:, 1:4] @ rotation.T, tensors[:, upper[0], upper[1]]])


def energy(given):
    return predicted(given)[1].atom_energies.sum()


def test_what_the_cases_are():
    """Parts, their lattices, half-broken bonds to images."""
    found = {name: predicted(given)[1].parts for name, given in CASES.items()}
    for name, parts in found.items():
        count = 2 if name.startswith("molecules") else 1
        assert parts.size.size == count, name
        dimension = {"p": 1, "s": 2}.get(name[0], 0)
        lattices = parts.lattices
        assert [len(lattice) for lattice in lattices.values()] == [dimension] * bool(dimension)
        linked = parts.links.connection
        assert (linked.size > 0) == name.startswith("half")
        assert ((linked > 1e-4) & (linked < 1.0)).all()


@pytest.mark.parametrize("name", CASES)
def test_wrapped_turned_permuted_and_doubled_cells(name):
    given = CASES[name]
    expected, cell = observed(given), given.cell
    images = np.random.default_rng(0).integers(-2, 3, size=(given.n_atom, 3)) * cell.periodic
    away = Structure(given.numbers, given.positions + images @ cell.vectors, cell=cell)
    np.testing.assert_allclose(observed(away), expected, rtol=0.0, atol=1e-11)
    move = Move.random(given.n_atom, 0, improper=True)
    turned = move.structure(given)
    vectors = Cell(cell.vectors @ move.rotation.T, cell.periodic)
    turned = Structure(turned.numbers, turned.positions, cell=vectors)
    expected[:, 2:] = turned_moments(expected[:, 2:], move.rotation)
    np.testing.assert_allclose(observed(turned), expected[move.order], rtol=0.0, atol=1e-11)
    counts = tuple(1 + cell.periodic)
    many = structure(given.to_ase().repeat(counts))
    expected[:, 2:] = turned_moments(expected[:, 2:], move.rotation.T)
    tiled = np.tile(expected, (np.prod(counts), 1))
    np.testing.assert_allclose(observed(many), tiled, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(observed(given)[:, 1:3].sum(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_forces_and_strain_against_differences(name):
    given = CASES[name]
    rng = np.random.default_rng(0)
    moves, strain = rng.normal(size=given.positions.shape), rng.normal(size=(3, 3))
    _, out, record = predicted(given)
    strain_bar = np.zeros((3, 3))
    gradient = MODEL.energy_slope(out, record, strain_bar)

    def slope(function, h):
        near, far = function(h) - function(-h), function(2.0 * h) - function(-2.0 * h)
        return (8.0 * near - far) / (12.0 * h)

    walked = np.sum(gradient * moves), np.sum(strain_bar * strain)
    found = (
        slope(lambda t: energy(strained(given, 0.0, t * moves)), 3e-4),
        slope(lambda u: energy(strained(given, u * strain)), 2e-4),
    )
    np.testing.assert_allclose(walked, found, rtol=1e-6)
    np.testing.assert_allclose(strain_bar, strain_bar.T, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("kind", PERIODIC)
def test_a_molecule_in_a_large_cell_is_the_molecule(kind):
    """Two molecules and their mirror images: without a dipole, and quadrupoles fall off as r^-5."""
    given = two_molecules(kind)
    x = np.concatenate([given.positions, -given.positions - 3.0])
    both, shifts = Structure(np.tile(given.numbers, 2), x), []
    for size in (200.0, 400.0):
        cell = Cell(size * np.eye(3), PERIODIC[kind])
        shifts.append(energy(Structure(both.numbers, x, cell=cell)) - energy(both))
    assert shifts[0] / shifts[1] == pytest.approx(32.0, rel=0.1)
    assert 1e-9 < abs(shifts[0]) < 1e-6


def test_a_dipole_in_a_large_cell_polarises_its_surroundings():
    """Conducting ones: -2 pi mu^2 / 3 V, where images fall off faster."""
    given = two_molecules("crystal")
    alone = Structure(given.numbers, given.positions)
    multipoles = observed(alone)[:, 2:]
    mu = multipoles[:, 0] @ alone.positions + multipoles[:, 1:4].sum(axis=0)
    cell = Cell(200.0 * np.eye(3), PERIODIC["crystal"])
    shift = energy(Structure(given.numbers, given.positions, cell=cell)) - energy(alone)
    assert shift == pytest.approx(-2.0 * np.pi / 3.0 * mu @ mu / cell.measure, rel=1e-2)
    assert abs(shift) > 1e-6


def test_a_polymer_does_not_feel_its_own_charges():
    """Alone it is what its atoms are, and beside another one it is not."""
    _, out, _ = predicted(chain())
    at_home = out.bonded.atom_energies.sum()
    terms = {type(term).__name__: term for term in MODEL.terms}
    out.atom_energies[:] = 0.0
    terms["MultipoleEnergy"].forward(MODEL.weights, out)
    assert np.abs(out.multipoles).max() > 0.1
    np.testing.assert_allclose(out.atom_energies, 0.0, atol=1e-12)
    crystal = chain("crystal")
    _, out, _ = predicted(crystal)
    assert out.bonded.atom_energies.sum() == pytest.approx(at_home, rel=1e-9)
    out.atom_energies[:] = 0.0
    terms["MultipoleEnergy"].forward(MODEL.weights, out)
    assert abs(out.atom_energies.sum()) > 1e-5


def test_a_polymer_breaks_smoothly():
    """No step in energy or slope while a polymer becomes molecules that are half bonded.

    But for images more than six broken bonds away, which are found to be others at once: 2e-5
    hartree with charges of random weights.
    """
    gaps = np.linspace(0.40, 1.25, 121)
    energies, slopes, infinite = [], [], []
    for gap in gaps:
        given, bar = chain(gap=gap), np.zeros((3, 3))
        _, out, record = predicted(given)
        gradient = MODEL.energy_slope(out, record, bar)
        energies.append(out.atom_energies.sum())
        # the cell alone grows: a strain, less what it does to the atoms
        stretch = bar[1, 1] - gradient[:, 1] @ given.positions[:, 1]
        slopes.append(stretch / given.cell.vectors[1, 1])
        infinite.append(bool(out.parts.lattices))
    assert infinite[0]
    assert not infinite[-1]
    h = (gaps[1] - gaps[0]) / BOHR_ANGSTROM
    steps = np.diff(energies) - 0.5 * h * (np.array(slopes)[1:] + np.array(slopes)[:-1])
    parted = int(np.argmin(infinite)) - 1
    assert abs(steps[parted]) < 2e-5
    steps[parted] = 0.0
    np.testing.assert_allclose(steps / h, 0.0, atol=1e-2 * np.ptp(slopes))
    assert np.abs(np.diff(slopes)).max() < 0.1 * np.ptp(slopes)
