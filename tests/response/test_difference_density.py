"""Charge, spin and surroundings: adjoints, limits, symmetry, and the energy's derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from harness import assert_adjoint, assert_equivariant
from molecules import SMALL, distorted, gapped_model, moved, parameters_of, symmetric

from mlsemi.errors import ConvergenceError, InputError
from mlsemi.evaluate import singlepoint
from mlsemi.model.catalogue import shapes_of
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals import eigen
from mlsemi.parameters import Parameters
from mlsemi.response.constants import ResponseConstants
from mlsemi.response.difference_density import answer, respond
from mlsemi.response.moments import AtomicMoments
from mlsemi.response.neutral import Neutral
from mlsemi.response.solvents import solvent_of
from mlsemi.response.surroundings import Surroundings

MOLECULE = distorted("CH3NO2")
ORGANIC = Parameters.load("organic-1")
RNG = np.random.default_rng(0)
CONSTANTS = ResponseConstants.of_elements(MOLECULE.numbers)
LEARNED = replace(
    CONSTANTS,
    hardness=CONSTANTS.hardness * RNG.uniform(0.8, 1.2, 7),
    growth=RNG.uniform(0.2, 0.6, 7),
    odd=RNG.uniform(-0.1, 0.1, 7),
)
FIELD = RNG.normal(size=3) * 0.01
CHARGES, PLACES = np.array([0.5, -0.7]), RNG.normal(size=(2, 3)) + 9.0
EVERYTHING = Surroundings(FIELD, CHARGES, PLACES, solvent_of("water"))
CASES = [
    (0, 1, 0.0),
    (1, 2, 0.0),
    (-1, 2, 0.0),
    (0, 3, 0.0),
    (2, 1, 0.0),
    (1, 2, 0.01),
    (0, 1, 0.03),
]
BOTH = pytest.mark.parametrize("constants", [CONSTANTS, LEARNED], ids=["elements", "learned"])


def prediction_of(structure, model=ORGANIC.model):
    pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
    return model.predict(pairs)[0]


def neutral_of(structure):
    hamiltonian = prediction_of(structure).hamiltonian.matrix(0)
    rng = np.random.default_rng(1)
    return Neutral(
        structure,
        hamiltonian,
        eigen.solve(hamiltonian, int(structure.core_charges.sum())),
        rng.normal(size=(structure.n_atom, 3)) * 0.1,
        AtomicMoments.of_structure(structure, rng.uniform(0.5, 1.5, structure.n_atom)),
    )


NEUTRAL = neutral_of(MOLECULE)


@BOTH
@pytest.mark.parametrize(("charge", "multiplicity", "kt"), CASES)
def test_energy_adjoint(charge, multiplicity, kt, constants):
    def response(matrix, dipoles, positions, places):
        structure = moved(MOLECULE, positions)
        state = eigen.solve(0.5 * (matrix + matrix.T), 24)
        neutral = Neutral(structure, matrix, state, dipoles, NEUTRAL.moments)
        around = replace(EVERYTHING, charge_positions=places).around(structure)
        return respond(neutral, around, charge, multiplicity, constants, kt)

    start = [NEUTRAL.hamiltonian, NEUTRAL.atom_dipoles, MOLECULE.positions, PLACES]

    def adjoint(bar):
        found = response(*start).cotangent
        four = (found.hamiltonian, found.atom_dipoles, found.positions, found.charge_positions)
        return tuple(bar * cotangent for cotangent in four)

    def energy(*arrays):
        return response(*arrays).energy

    assert_adjoint(energy, adjoint, start, step=2e-3, rtol=1e-7, n_element=1)


@BOTH
@pytest.mark.parametrize(("charge", "multiplicity", "kt"), CASES)
def test_levels_are_derivatives_of_the_energy(charge, multiplicity, kt, constants):
    """H_s - H_o = dE/dP_s at fixed H_o: moving a little of an orbital costs its level."""
    own = respond(NEUTRAL, EVERYTHING.around(MOLECULE), charge, multiplicity, constants, kt)
    p = NEUTRAL.state.orbitals[:, 3]
    h = 1e-4

    def energy(step):
        changes = own.changes.copy()
        changes[0] += step * np.outer(p, p)
        return answer(
            NEUTRAL, own.embedding, constants, own.induction, own.fillings, changes
        ).energy

    slope = (energy(h) - energy(-h)) / (2.0 * h)
    assert slope == pytest.approx(p @ (NEUTRAL.hamiltonian + own.corrections[0]) @ p, abs=1e-9)


def constants_from(atoms, shared):
    return ResponseConstants.of_rows(atoms, shared)


@pytest.mark.parametrize(("charge", "multiplicity"), [(1, 2), (-1, 2), (0, 3), (2, 1)])
def test_adjoint_by_the_constants(charge, multiplicity):
    """Of the energy, the levels and the charges."""
    empty = Surroundings().around(MOLECULE)

    def observe(atoms, shared):
        own = respond(NEUTRAL, empty, charge, multiplicity, constants_from(atoms, shared))
        alpha, beta = own.states
        return own.energy, alpha.energies, beta.energies, alpha.density + beta.density

    def adjoint(energy_bar, alpha_bar, beta_bar, density_bar):
        own = respond(NEUTRAL, empty, charge, multiplicity, LEARNED)
        bars = [
            eigen.solve_adjoint(state, energies_bar, density_bar)
            for state, energies_bar in zip(own.states, (alpha_bar, beta_bar), strict=True)
        ]
        by_levels = own.levels_adjoint(np.stack(bars)).rows
        by_energy = own.cotangent.constants.rows
        return tuple(energy_bar * a + b for a, b in zip(by_energy, by_levels, strict=True))

    assert_adjoint(observe, adjoint, LEARNED.rows, step=2e-3, rtol=1e-7, n_element=1)


def test_the_odd_electron_is_shared():
    odd = Structure(np.array([7, 8, 8]), RNG.normal(size=(3, 3)) * 0.2 + 2.2 * np.eye(3), 1)
    neutral = neutral_of(odd)
    shares = neutral.susceptibility.odd_shares
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)
    frontier = neutral.state.orbitals[:, neutral.n_electron // 2]
    atoms = neutral.moments.orbital_atom
    np.testing.assert_allclose(shares, np.bincount(atoms, frontier**2), atol=1e-12)
    assert not NEUTRAL.susceptibility.odd_shares.any()
    constants = replace(ResponseConstants.of_elements(odd.numbers), odd=np.array([0.1, -0.2, 0.3]))

    def response(matrix):
        state = eigen.solve(0.5 * (matrix + matrix.T), neutral.n_electron)
        moved = replace(neutral, hamiltonian=matrix, state=state)
        return respond(moved, Surroundings().around(neutral.structure), 1, 1, constants)

    assert_adjoint(
        lambda matrix: response(matrix).energy,
        lambda bar: (bar * response(neutral.hamiltonian).cotangent.hamiltonian,),
        [neutral.hamiltonian],
        step=2e-3,
        rtol=1e-7,
    )


def test_nothing_changes_a_neutral_closed_shell():
    own = respond(NEUTRAL, Surroundings().around(MOLECULE), 0, 1, CONSTANTS)
    assert own.energy == 0.0
    assert not own.corrections.any()
    assert not own.spin_populations.any()
    plain = singlepoint(MOLECULE, forces=True, singlets=2)
    again = singlepoint(MOLECULE, forces=True, singlets=2, field=None, multiplicity=1)
    assert plain.response is None
    assert again.response is None
    assert plain.energy == again.energy
    nothing = singlepoint(MOLECULE, forces=True, singlets=2, solvent=1.0)
    assert nothing.response is not None
    assert nothing.response.polar_energy == 0.0
    np.testing.assert_array_equal(nothing.state.energies, plain.state.energies)
    np.testing.assert_allclose(nothing.singlets.energies, plain.singlets.energies, atol=1e-12)
    np.testing.assert_allclose(nothing.dipole, plain.dipole, atol=1e-12)


@pytest.mark.parametrize(("charge", "multiplicity"), [(1, 2), (-1, 2), (0, 3), (2, 3), (0, 5)])
def test_electrons_are_counted(charge, multiplicity):
    own = respond(NEUTRAL, Surroundings().around(MOLECULE), charge, multiplicity, CONSTANTS)
    assert own.charges.sum() == pytest.approx(charge, abs=1e-11)
    assert own.spin_populations.sum() == pytest.approx(multiplicity - 1, abs=1e-11)
    spin = 0.5 * (multiplicity - 1)
    assert own.s_squared == pytest.approx(spin * (spin + 1.0), abs=0.1)
    assert own.s_squared >= spin * (spin + 1.0) - 1e-9


def test_field_derivatives():
    """-dE/dF is the dipole and d dipole/dF the polarisability, for an ion in a solvent too."""
    for changed in ({}, {"charge": 1, "multiplicity": 2, "solvent": "acetone"}):
        h = 1e-3

        def at(field, changed=changed):
            return singlepoint(MOLECULE, field=field, **changed)

        own = at(FIELD)
        alpha = own.response.polarizability
        np.testing.assert_allclose(alpha, alpha.T, atol=1e-9)
        assert np.linalg.eigvalsh(alpha)[0] > 1.0
        for axis in range(3):
            step = h * np.eye(3)[axis]
            up, down = at(FIELD + step), at(FIELD - step)
            assert (down.energy - up.energy) / (2 * h) == pytest.approx(own.dipole[axis], abs=1e-7)
            slope = (up.dipole - down.dipole) / (2 * h)
            np.testing.assert_allclose(slope, alpha[:, axis], atol=1e-7)


def test_far_molecules_do_not_feel_a_charge():
    """A molecule far from an ion's charge has its own levels but for the potential q / R."""
    far = 4000.0
    water = distorted("H2O", seed=4)
    both = Structure(
        np.concatenate([MOLECULE.numbers, water.numbers]),
        np.vstack([MOLECULE.positions, water.positions + np.array([far, 0.0, 0.0])]),
        1,
        2,
    )
    alone = singlepoint(replace(MOLECULE, charge=1, multiplicity=2), dispersion=False)
    pair = singlepoint(both, dispersion=False)
    neutral = singlepoint(replace(both, charge=0, multiplicity=1), dispersion=False)
    itself = singlepoint(MOLECULE, dispersion=False)
    shared = pair.energy - neutral.energy
    assert shared == pytest.approx(alone.energy - itself.energy, abs=2e-2)
    assert pair.response.spin_populations[: MOLECULE.n_atom].sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("case", [(1, 2, None), (0, 3, None), (1, 2, FIELD)])
def test_equivariance(case):
    charge, multiplicity, field = case

    def observe(structure):
        # the field is a vector of the laboratory: it is turned with the molecule below
        result = singlepoint(
            replace(structure, charge=charge, multiplicity=multiplicity), dispersion=False
        )
        return {
            "energy": ("number", np.array(result.energy)),
            "alpha": ("number", result.state.energies),
            "beta": ("number", result.beta.energies),
            "charges": ("atom", result.charges),
            "spin": ("atom", result.response.spin_populations),
            "polarizability": ("number", np.trace(result.response.polarizability)),
        }

    if field is None:
        assert_equivariant(observe, MOLECULE, atol=1e-8)
    else:
        turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
        ion = replace(MOLECULE, charge=charge, multiplicity=multiplicity)
        turned = replace(ion, positions=MOLECULE.positions @ turn.T)
        one = singlepoint(ion, field=field)
        other = singlepoint(turned, field=turn @ field)
        assert other.energy == pytest.approx(one.energy, abs=1e-9)
        np.testing.assert_allclose(other.charges, one.charges, atol=1e-9)


def test_degenerate_levels_share_their_electrons():
    """The benzene cation keeps the symmetry of benzene: its hole is in both e1g orbitals."""
    benzene, _ = symmetric("C6H6")
    result = singlepoint(replace(benzene, charge=1, multiplicity=2))
    spin = result.response.spin_populations
    np.testing.assert_allclose(spin[:6], 1.0 / 6.0, atol=1e-9)
    np.testing.assert_allclose(result.charges[:6], result.charges[0], atol=1e-9)
    np.testing.assert_allclose(result.charges[6:], result.charges[6], atol=1e-9)


def test_one_electron_and_none():
    proton_like = singlepoint(Structure([1], np.zeros((1, 3)), 0, 2))
    assert proton_like.response.spin_populations[0] == pytest.approx(1.0)
    assert proton_like.response.s_squared == pytest.approx(0.75)
    cation = singlepoint(Structure([1, 1], np.array([[0.0, 0, 0], [0, 0, 1.5]]), 1, 2))
    np.testing.assert_allclose(cation.charges, 0.5, atol=1e-10)


@pytest.mark.parametrize(
    "forms", [{"energy": "band"}, {"energy": "band+readout"}, {"long_range": False}]
)
def test_forces_of_every_form(forms):
    """The energy of an ion in a solvent has its gradient whatever the form of the model."""
    structure = replace(distorted("HCOOH", seed=3), charge=1, multiplicity=2)
    model = gapped_model([replace(structure, charge=0, multiplicity=1)])
    other = replace(SMALL, **forms)
    names = shapes_of(other)
    weights = {n: w for n, w in model.weights.items() if n in names}
    if set(weights) != set(names):
        pytest.skip("the form has weights of its own")
    parameters = parameters_of(replace(model, form=other, weights=weights))
    x, direction = structure.positions, np.random.default_rng(6).normal(size=(5, 3))

    def energy(t):
        moved_one = replace(structure, positions=x + t * direction)
        return singlepoint(moved_one, parameters=parameters, solvent=20.0, dispersion=False).energy

    found = singlepoint(
        structure, parameters=parameters, solvent=20.0, dispersion=False, forces=True
    )
    h = 1e-3
    slope = (8 * (energy(h) - energy(-h)) - energy(2 * h) + energy(-2 * h)) / (12 * h)
    assert slope == pytest.approx(-np.sum(found.forces * direction), abs=1e-7)


def test_surroundings_that_make_no_sense():
    with pytest.raises(InputError, match="point charges need their positions"):
        Surroundings(charges=np.ones(2))
    with pytest.raises(InputError, match="field: need finite numbers"):
        Surroundings(field=np.ones(2))
    with pytest.raises(InputError, match="charge positions: need finite numbers"):
        Surroundings(charges=np.ones(2), charge_positions=np.ones((3, 3)))
    with pytest.raises(InputError, match="point charge 0 lies on atom 0"):
        singlepoint(MOLECULE, point_charges=(np.ones(1), MOLECULE.positions[:1]))


@pytest.mark.parametrize(
    ("charge", "multiplicity", "message"),
    [(0, 2, "do not have multiplicity 2: it must be odd"), (1, 1, "it must be even"),
     (0, 0, "do not have multiplicity 0"), (0, 1.5, "multiplicity 1.5 is not an integer"),
     (0, 27, "unpaired")],
)  # fmt: skip
def test_multiplicities_that_do_not_fit(charge, multiplicity, message):
    with pytest.raises(InputError, match=message):
        Structure(MOLECULE.numbers, MOLECULE.positions, charge, multiplicity)


def test_excited_states_of_open_shells_are_refused():
    with pytest.raises(InputError, match="excited states at multiplicity 2: there are"):
        singlepoint(MOLECULE, charge=1, multiplicity=2, singlets=2)


def test_polarisation_that_runs_away_is_refused():
    """HCC- in water: to first order the solvent would move 50 electrons along the bond."""
    places = [(0.798, 1.1261, -1.2393), (0.9041, 0.8101, -0.0543), (1.1328, 0.5321, 0.959)]
    ion = Atoms("C2H", places)
    singlepoint(ion, charge=-1)
    with pytest.raises(ConvergenceError, match="the polarisation runs away"):
        singlepoint(ion, charge=-1, solvent="water")
