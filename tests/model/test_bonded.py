"""Energies of molecules that know their own atoms alone, and of contacts between them."""

from dataclasses import replace

import numpy as np
import pytest
from harness import assert_adjoint, assert_equivariant
from molecules import FORMS, SMALL, distorted, moved, random_model
from scipy.spatial.transform import Rotation

from mlsemi.errors import InputError
from mlsemi.kernels.integrals import overlap_blocks, overlap_blocks_adjoint
from mlsemi.model.model import Model
from mlsemi.model.terms.electrostatics import SOFTENING
from mlsemi.model.terms.intermolecular.connection import BOND, CONTACT, Connection
from mlsemi.model.terms.intermolecular.contacts import CLOSEST, WALL, tables_of
from mlsemi.model.terms.intermolecular.multipoles import CARTESIAN
from mlsemi.model.terms.neutrality import Parts, neutral, neutral_adjoint
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Known
from mlsemi.molecule.basis import SLATER_EXPONENT, Basis
from mlsemi.molecule.elements import covalent_radius, n_orbital_of, van_der_waals_radius
from mlsemi.molecule.integrals import overlap
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.units import BOHR_ANGSTROM

FORM = FORMS["bonded"]
MODEL = random_model(FORM)
HARMONIC = np.linalg.pinv(CARTESIAN)
FORMIC, METHANOL = distorted("HCOOH", amplitude=0.05), distorted("CH3OH", amplitude=0.05)


def listed(*structures):
    return PairList.of(structures, FORM.elements, FORM.cutoff)


def energies_of(model, *structures):
    pairs = listed(*structures)
    prediction, _ = model.predict(pairs, ("atom_energies",))
    return [prediction.atom_energies[pairs.atoms_of(k)].sum() for k in range(len(structures))]


def together(one, two, shift):
    x = np.concatenate([one.positions, two.positions + np.asarray(shift)])
    return Structure(np.concatenate([one.numbers, two.numbers]), x)


def touching(gap=3.2):
    """Two molecules whose closest atoms are ``gap`` bohr apart."""
    for far in np.arange(4.0, 20.0, 0.05):
        both = together(FORMIC, METHANOL, (far, 0.3, -0.2))
        n = FORMIC.n_atom
        distance = np.linalg.norm(both.positions[:n, None] - both.positions[None, n:], axis=2)
        if distance.min() > gap:
            return both
    raise AssertionError


def stretched():
    """A C-H bond of formic acid half broken, beside methanol."""
    both = touching()
    x = both.positions.copy()
    h = int(np.flatnonzero(FORMIC.numbers == 1)[0])
    to = np.linalg.norm(x[: FORMIC.n_atom] - x[h], axis=1)
    to[h] = np.inf
    partner = int(to.argmin())
    length = covalent_radius(1) + covalent_radius(int(both.numbers[partner]))
    x[h] = x[partner] + (x[h] - x[partner]) / to[partner] * 0.5 * (BOND + CONTACT) * length
    return moved(both, x)


def test_a_neighbour_changes_nothing_inside():
    """Features and energies in contact are those alone, to the last digits."""
    both = touching()
    pairs, alone = listed(both), listed(FORMIC)
    found, _ = MODEL.predict(pairs, ("atom_energies",))
    own, _ = MODEL.predict(alone, ("atom_energies",))
    rows = pairs.atoms_of(0)[: FORMIC.n_atom]
    for name in ("nodes", "atom_energies"):
        np.testing.assert_allclose(
            getattr(found.bonded, name)[rows],
            getattr(own.bonded, name)[alone.atoms_of(0)],
            rtol=1e-12,
            atol=1e-12,
        )
    np.testing.assert_allclose(found.multipoles[rows, 0].sum(), 0.0, atol=1e-13)
    apart = energies_of(MODEL, FORMIC, METHANOL)
    assert abs(energies_of(MODEL, both)[0] - sum(apart)) > 1e-4


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.3, -0.5, 0.8)])
def test_far_molecules_feel_their_multipoles(direction):
    """At 4000 bohr the dipoles, at 1e5 nothing: additive to 1e-8 eV."""
    one, two = energies_of(MODEL, FORMIC, METHANOL)
    direction = np.array(direction) / np.linalg.norm(direction)
    far = 4000.0
    both = together(FORMIC, METHANOL, far * direction)
    pairs = listed(both)
    q = MODEL.predict(pairs, ("multipoles",))[0].multipoles[pairs.atoms_of(0)]
    n = FORMIC.n_atom
    a, b = (
        q[rows, 0] @ both.positions[rows] + q[rows, 1:4].sum(axis=0)
        for rows in (slice(n), slice(n, None))
    )
    r = both.positions[n:].mean(axis=0) - both.positions[:n].mean(axis=0)
    unit, length = r / np.linalg.norm(r), np.linalg.norm(r)
    dipoles = (a @ b - 3.0 * (a @ unit) * (b @ unit)) / length**3
    found = energies_of(MODEL, both)[0] - one - two
    assert found == pytest.approx(dipoles, rel=0.05)
    assert abs(dipoles) > 1e-12
    both = together(FORMIC, METHANOL, 1e5 * direction)
    assert energies_of(MODEL, both)[0] == pytest.approx(one + two, abs=4e-10)


def test_half_a_bond_beside_a_contact():
    u = MODEL.predict(listed(stretched()), ("atom_energies",))[0].connection
    assert ((u > 0.0) & (u < 1.0)).any()
    assert (u == 0.0).any()


def shared(at):
    """A hydrogen of methanol's OH on its way to formic acid, ``at`` of the way, 2.5 angstrom."""
    acid, alcohol = FORMIC, METHANOL
    oxygen = int(np.flatnonzero(acid.numbers == 8)[0])
    own = int(np.flatnonzero(alcohol.numbers == 8)[0])
    apart = alcohol.positions - alcohol.positions[own]
    h = int(np.argmin(np.linalg.norm(apart, axis=1) + 9.0 * (alcohol.numbers != 1)))
    away = acid.positions[oxygen] - acid.positions.mean(axis=0)
    away /= np.linalg.norm(away)
    # turn the alcohol so that its hydrogen points at the acid
    to = apart[h] / np.linalg.norm(apart[h])
    turn = Rotation.align_vectors([-away], [to])[0].as_matrix()
    length = 2.5 / BOHR_ANGSTROM
    x = acid.positions[oxygen] + away * length + apart @ turn.T
    x[h] = acid.positions[oxygen] + away * length * (1.0 - at)
    numbers = np.concatenate([acid.numbers, alcohol.numbers])
    return Structure(numbers, np.concatenate([acid.positions, x])), oxygen, acid.n_atom + h


def test_a_hydrogen_bond_is_no_bond_until_the_hydrogen_changes_sides():
    """1.5 angstrom: none; half way: whole, to both; no step in energy or slope in between."""
    found = []
    ways = np.linspace(0.38, 0.62, 121)
    for at in ways:
        structure, oxygen, h = shared(at)
        pairs = listed(structure)
        out, record = MODEL.predict(pairs, ("atom_energies",))
        rows = pairs.atoms_of(0)
        this = (pairs.first == rows[oxygen]) & (pairs.second == rows[h])
        slope = MODEL.energy_slope(out, record)[h]
        away = structure.positions[h] - structure.positions[oxygen]
        along = -slope @ away / np.linalg.norm(away) * 2.5 / BOHR_ANGSTROM
        found.append((out.strength[this][0], out.atom_energies.sum(), along))
    strength, energy, slope = np.array(found).T
    assert strength[0] == 0.0
    assert strength[60] == pytest.approx(1.0, abs=1e-6)
    assert (np.diff(strength) >= 0.0).all()
    middle = (energy[2:] - energy[:-2]) / (ways[2] - ways[0])
    np.testing.assert_allclose(middle, slope[1:-1], atol=1e-2 * np.ptp(slope))
    assert np.abs(np.diff(slope)).max() < 0.15 * np.ptp(slope)


def test_a_hypervalent_atom_of_one_valence_keeps_its_bonds():
    """Perchloric acid: oxygens at 1.41 and 1.64 angstrom of one chlorine."""
    oxygens = [[1.38, 0, -0.3], [-0.7, 1.2, -0.3], [-0.7, -1.2, -0.3], [0, 0, 1.64]]
    x = np.array([[0, 0, 0], *oxygens, [0.9, 0, 1.9]]) / BOHR_ANGSTROM
    form = replace(FORM, elements=(1, 8, 17))
    pairs = PairList.of([Structure([17, 8, 8, 8, 8, 1], x)], form.elements, form.cutoff)
    out = Prediction.blank(pairs, *form.radial(pairs.distance))
    Connection(form).forward({}, out)
    assert np.count_nonzero(out.strength == 1.0) == 10
    assert out.parts.size.size == 1


@pytest.mark.parametrize(
    "both",
    [stretched(), touching(2.6), shared(0.45)[0]],
    ids=["half a bond", "in the wall", "shared"],
)
def test_adjoint_by_positions(both):

    def forward(x):
        pairs = listed(moved(both, x), FORMIC)
        found, _ = MODEL.predict(pairs, ("atom_energies", "multipoles"))
        return found.atom_energies[pairs.atom], found.multipoles[pairs.atom]

    def adjoint(energies_bar, multipoles_bar):
        pairs = listed(both, FORMIC)
        sorted_bars = np.empty_like(energies_bar), np.empty_like(multipoles_bar)
        for bars, given in zip(sorted_bars, (energies_bar, multipoles_bar), strict=True):
            bars[pairs.atom] = given
        bar = PredictionBar(atom_energies=sorted_bars[0], multipoles=sorted_bars[1])
        found = MODEL.predict(pairs, ("atom_energies", "multipoles"))
        return (MODEL.adjoint(*found, bar, True, False)[1][: both.n_atom],)

    assert_adjoint(forward, adjoint, [both.positions], step=2e-3, rtol=1e-8)


@pytest.mark.parametrize("wanted", [None, ("atom_energies", "multipoles")])
def test_adjoint_by_weights(wanted):
    pairs = listed(stretched(), METHANOL)
    names = [n for n in MODEL.weights if n.startswith(("bonded.", "flow.", "contact."))]

    def forward(*values):
        model = Model(FORM, dict(MODEL.weights) | dict(zip(names, values, strict=True)))
        found, _ = model.predict(pairs, wanted)
        return found.atom_energies, found.multipoles

    def adjoint(energies_bar, multipoles_bar):
        bar = PredictionBar(atom_energies=energies_bar, multipoles=multipoles_bar)
        gradients, _ = MODEL.adjoint(*MODEL.predict(pairs, wanted), bar)
        return tuple(gradients[name] for name in names)

    assert_adjoint(forward, adjoint, [MODEL.weights[n] for n in names], rtol=1e-8)


def test_energies_alone_and_with_all_else_are_the_same():
    pairs = listed(stretched())
    alone, record = MODEL.predict(pairs, ("atom_energies",))
    full, full_record = MODEL.predict(pairs)
    np.testing.assert_array_equal(alone.atom_energies, full.atom_energies)
    assert alone.nodes.size == 0
    np.testing.assert_allclose(
        MODEL.energy_slope(alone, record), MODEL.energy_slope(full, full_record), rtol=1e-12
    )


def test_symmetry():
    both = stretched()

    def observe(structure):
        pairs = listed(structure)
        found, _ = MODEL.predict(pairs, ("atom_energies", "multipoles"))
        rows = pairs.atoms_of(0)
        return {
            "energies": ("atom", found.atom_energies[rows]),
            "charges": ("atom", found.multipoles[rows, 0]),
            "dipoles": ("atom_vector", found.multipoles[rows, 1:4]),
            "quadrupoles": ("tensor", (found.multipoles[rows, 4:] @ HARMONIC)[..., None]),
        }

    assert_equivariant(observe, both, atol=1e-10)


def test_a_bond_breaks_smoothly():
    """No step in energy or slope while a bond turns into a contact."""
    length = covalent_radius(1) + covalent_radius(6)
    slope, energy = [], []
    ratios = np.linspace(BOND - 0.02, CONTACT + 0.02, 400)
    for ratio in ratios:
        structure = Structure([6, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, ratio * length]], charge=1)
        found, record = MODEL.predict(listed(structure), ("atom_energies",))
        energy.append(found.atom_energies.sum())
        slope.append(MODEL.energy_slope(found, record)[1, 2])
    h = (ratios[1] - ratios[0]) * length
    middle = (np.array(energy)[2:] - np.array(energy)[:-2]) / (2.0 * h)
    np.testing.assert_allclose(middle, slope[1:-1], atol=2e-3 * np.ptp(slope))
    assert np.abs(np.diff(slope)).max() < 0.1 * np.ptp(slope)


def test_overlap_blocks():
    both = touching()
    basis = Basis.of(both, {z: 0.7 * zeta for z, zeta in SLATER_EXPONENT.items()})
    S = overlap(basis, both.positions)
    first, second = np.nonzero(np.triu(np.ones((both.n_atom,) * 2), 1))
    index = {z: n for n, z in enumerate(FORM.elements)}
    species = np.array([index[z] for z in both.numbers.tolist()])
    sizes = np.array([1 if z == 1 else 4 for z in FORM.elements])
    arguments = species[first], species[second]
    vectors = both.positions[second] - both.positions[first]
    blocks = overlap_blocks(*arguments, vectors, sizes, *tables_of(FORM.elements, 0.7))
    start = basis.atom_offset
    for i, j, block in zip(first, second, blocks, strict=True):
        a, b = np.diff(start)[[i, j]]
        expected = S[start[i] : start[i + 1], start[j] : start[j + 1]]
        np.testing.assert_allclose(block[:a, :b], expected, atol=1e-14)
        assert np.abs(block).sum() == pytest.approx(np.abs(expected).sum(), rel=1e-12)
    assert_adjoint(
        lambda x: overlap_blocks(*arguments, x, sizes, *tables_of(FORM.elements, 0.7)),
        lambda bar: (
            overlap_blocks_adjoint(*arguments, vectors, sizes, *tables_of(FORM.elements, 0.7), bar),
        ),
        [vectors],
    )


def test_a_wall_stands_where_no_data_are():
    """Two hydrogens of different molecules: the formula, and none beyond its reach."""
    weights = {name: np.zeros_like(value) for name, value in MODEL.weights.items()}
    model, radius = Model(FORM, weights), van_der_waals_radius(np.array([1]))[0]
    reach = CLOSEST[0] * 2.0 * radius
    for share in (0.8, 0.9, 1.0, 1.1):
        r = share * reach
        x = [[0.0, 0.0, 0.0], [0.0, 0.0, -1.4], [0.0, 0.0, r], [0.0, 0.0, r + 1.4]]
        structure = Structure([1, 1, 1, 1], x)
        expected = WALL * max(0.0, 1.0 - share) ** 3
        assert energies_of(model, structure)[0] == pytest.approx(expected, abs=1e-12)


def test_start_is_repulsive_where_nothing_is_learned():
    weights = {name: np.zeros_like(value) for name, value in MODEL.weights.items()}
    model = Model(FORM, weights)
    pairs = listed(touching(2.8))
    prediction, _ = model.predict(pairs, ())
    for term in model.terms:
        if type(term).__name__ == "Contacts":
            term.fit(weights, Known(prediction.hamiltonian, np.zeros(1)), prediction)
    near, far = (energies_of(model, touching(gap))[0] for gap in (2.8, 3.4))
    assert near > far > 0.0


@pytest.mark.parametrize("change", [{"kind": "linear"}, {"energy": "band"}])
def test_refused_forms(change):
    with pytest.raises(InputError, match="bonded"):
        replace(FORM, **change)


def charges_of(structure, model=MODEL):
    pairs = listed(structure)
    return model.predict(pairs, ("charges",))[0].charges[pairs.atoms_of(0)]


def test_charges_of_a_molecule_are_those_it_has_alone():
    """With one molecule, what they were; with two, each is neutral, at any distance."""
    plain = Model(SMALL, dict(random_model(SMALL).weights))
    alone = charges_of(FORMIC)
    np.testing.assert_allclose(alone, charges_of(FORMIC, plain), atol=1e-13)
    far = together(FORMIC, METHANOL, (60.0, 0.0, 0.0))
    expected = np.concatenate([alone, charges_of(METHANOL)])
    np.testing.assert_allclose(charges_of(far), expected, atol=1e-13)
    assert np.abs(charges_of(far, plain) - expected).max() > 1e-3
    assert charges_of(touching())[: FORMIC.n_atom].sum() == pytest.approx(0.0, abs=1e-12)
    broken = charges_of(stretched())
    assert broken.sum() == pytest.approx(0.0, abs=1e-12)


def test_charges_while_a_bond_breaks_against_all_atoms_in_turn():
    """The formula as it stands, with u by all walks; and its adjoint."""
    structure = stretched()
    pairs = listed(structure, METHANOL)
    found, _ = MODEL.predict(pairs)
    z = np.random.default_rng(1).normal(size=pairs.n_atom)
    u = np.eye(pairs.n_atom)
    strength = np.zeros_like(u)
    strength[pairs.first, pairs.second] = found.strength
    for _ in range(pairs.n_atom):
        u = np.maximum(u, (u[:, :, None] * strength[None]).max(axis=1))
    expected = z - u @ (z / u.sum(axis=0))
    parts = Parts.of(pairs, found.strength)
    assert parts.links.first.size
    np.testing.assert_allclose(neutral(parts, z), expected, atol=1e-12)

    active = (found.strength > 0.0) & (found.strength < 1.0)

    def forward(z, part):
        strength = found.strength.copy()
        strength[active] = 0.5 * (part + part[back])[active]
        return neutral(Parts.of(pairs, strength), z)

    place = {pair: p for p, pair in enumerate(zip(pairs.first, pairs.second, strict=True))}
    back = np.array([place[j, i] for i, j in place])

    def adjoint(bar):
        strength_bar = np.zeros(pairs.first.size)
        z_bar = neutral_adjoint(parts, z, bar, strength_bar)
        return z_bar, np.where(active, 0.5 * (strength_bar + strength_bar[back]), 0.0)

    assert_adjoint(
        forward, adjoint, [z, found.strength], active=[None, active], step=1e-3, rtol=1e-8
    )


@pytest.mark.parametrize("copies", [2, 3])
def test_levels_of_far_partners_are_their_own(copies):
    """Polar molecules a million bohr apart have the levels they have alone, to 1e-8 eV."""
    far = 1e6 * np.array([1.0, 0.3, -0.5])
    some = [FORMIC, METHANOL, FORMIC][:copies]
    both = some[0]
    for number, other in enumerate(some[1:], 1):
        both = together(both, other, number * far)
    levels, *alone = (
        np.linalg.eigvalsh(MODEL.predict(listed(s))[0].hamiltonian.matrix(0)) for s in (both, *some)
    )
    np.testing.assert_allclose(levels, np.sort(np.concatenate(alone)), atol=3e-10)


def test_neighbours_shift_levels_by_their_potential_alone():
    """At 60 bohr: the mean shift is that of the dipole's potential."""
    both = together(FORMIC, METHANOL, (60.0, 0.0, 0.0))
    n = FORMIC.n_orbital
    shift = MODEL.predict(listed(both))[0].hamiltonian.matrix(0)[:n, :n]
    shift = shift - MODEL.predict(listed(FORMIC))[0].hamiltonian.matrix(0)
    q = charges_of(METHANOL)
    to = (METHANOL.positions + np.array([60.0, 0.0, 0.0]))[None] - FORMIC.positions[:, None]
    potential = (q / np.sqrt((to**2).sum(axis=2) + SOFTENING**2)).sum(axis=1)
    expected = -np.repeat(potential, [n_orbital_of(z) for z in FORMIC.numbers.tolist()])
    np.testing.assert_allclose(np.diag(shift), expected, atol=1e-12)
    assert np.abs(expected).max() > 1e-6
