"""The one walk from coordinates to observables and back; every door asks it.

    structure -> pairs -> features -> irreps of H -> H_o -> orbitals -> charges, dipole, energy
              -> excited states -> forces (reverse walk) -> dispersion

The energy of a form without bands is read off the features: where nothing else is wanted, neither
the Hamiltonian nor its orbitals are computed, and energy and forces are the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlsemi.brief import Brief
from mlsemi.excited.excitations import (
    RESIDUAL,
    ExcitationCotangent,
    build_interaction,
    excite,
    excite_adjoint,
    shared_among_degenerate,
)
from mlsemi.excited.intensities import intensities
from mlsemi.excited.interaction import Interaction
from mlsemi.excited.method import EXACT, TDA, Method
from mlsemi.excited.states import Excitations, ExcitedStates, Multiplicity
from mlsemi.excited.unrestricted import lowest
from mlsemi.ground.adjoint import Cotangent, reverse
from mlsemi.ground.state import NOTHING, GroundState, ground_state, response_of
from mlsemi.machine.clock import Clock
from mlsemi.model.applicability import has_energy
from mlsemi.model.model import Model, ModelRecord
from mlsemi.model.terms.prediction import Prediction
from mlsemi.molecule.dispersion import Dispersion, dispersion_of
from mlsemi.molecule.integrals import angular_integrals, dipole_integrals, velocity_integrals
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.response.difference_density import ResponseCotangent
from mlsemi.response.solvated_excitations import SolvatedExcitations
from mlsemi.response.surrounded_surface import SurroundedStates
from mlsemi.response.surroundings import Surroundings
from mlsemi.result import AtomicOrbitals

Chooser = Callable[[Excitations, GroundState], int]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is asked of one structure.

    Attributes
    ----------
    orbitals : bool
        False: energy and forces alone, of a neutral closed shell whose energy needs no orbitals.
    forces : bool
    dispersion : bool
        D4 of the functional the parameters were trained on.
    kt : float
        Electronic temperature times Boltzmann's constant, hartree.
    surroundings : Surroundings
    polarizability : bool
    singlets, triplets, doublets : int
        Number of excited states; doublets of radicals, the others of closed shells.
    max_energy : float or None
        Instead of a number: all singlets, or doublets, up to this energy, hartree.
    method : Method
        How excited states are computed.
    tolerance : float
        Of |A X - w X|, hartree.
    surface : callable or None
        Of the singlets and the ground state: which singlet (0 the lowest) energy and forces are
        those of. Its transition has no intensities.
    """

    orbitals: bool = True
    forces: bool = False
    dispersion: bool = True
    kt: float = 0.0
    surroundings: Surroundings = NOTHING
    polarizability: bool = False
    singlets: int = 0
    triplets: int = 0
    doublets: int = 0
    max_energy: float | None = None
    method: Method = TDA
    tolerance: float = RESIDUAL
    surface: Chooser | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Brief):
    """What the walk has found, atomic units.

    Attributes
    ----------
    prediction : Prediction
        What the model says, of a pair list of this structure alone.
    frame : AtomicOrbitals
    ground : GroundState or None
        None where no orbitals were asked for.
    singlets, triplets, doublets : ExcitedStates or None
        Where asked for, with intensities.
    roots : Excitations or None
        The singlets that the surface was chosen from, where that of one was asked for.
    emission : float or None
        Vertical energy from the followed state down, where that is not its excitation energy.
    energy : float or None
        Of the ground state or the followed one, with dispersion; None where it is not known.
    dispersion : Dispersion
    forces : (n_atom, 3) array or None
    polarizability : (3, 3) array or None
    timings : dict
        Wall time of each step, s.
    """

    prediction: Prediction
    frame: AtomicOrbitals
    ground: GroundState | None
    singlets: ExcitedStates | None
    triplets: ExcitedStates | None
    doublets: ExcitedStates | None
    roots: Excitations | None
    emission: float | None
    energy: float | None
    dispersion: Dispersion
    forces: np.ndarray | None
    polarizability: np.ndarray | None
    timings: dict[str, float]


def evaluate(
    structure: Structure, parameters: Parameters, wanted: Wanted, clock: Clock | None = None
) -> Evaluation:
    """Walk from the coordinates to all that is wanted.

    Parameters
    ----------
    structure : Structure
        Of elements that the parameters know.
    parameters : Parameters
    wanted : Wanted
    clock : Clock, optional
        Takes the time of each step.

    Raises
    ------
    ConvergenceError
        If excited states do not converge.
    """
    clock = clock or Clock()
    model, frame = parameters.model, AtomicOrbitals(structure)
    known = has_energy(structure, model.form.ions_learned)
    with clock.step("pairs"):
        pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
    with clock.step("hamiltonian"):
        outputs = None if wanted.orbitals else ("atom_energies",)
        prediction, record = model.predict(pairs, outputs)
    ground = alpha = followed = roots = between = surrounded = emission = None
    found: dict[Multiplicity, ExcitedStates] = {}
    if not wanted.orbitals:
        energy = float(prediction.atom_energies[pairs.atoms_of(0)].sum())
    else:
        with clock.step("electronic"):
            around = wanted.kt, wanted.surroundings
            ground = ground_state(model, prediction, 0, *around)
            energy, response = ground.energy, ground.response
            if wanted.polarizability and response is None:
                response = response_of(model, prediction, 0, *around)
            alpha = response.polarizability if wanted.polarizability and response else None
        with clock.step("excitations"):
            numbers = wanted.singlets, wanted.triplets, wanted.doublets
            if wanted.surface or any(numbers) or wanted.max_energy:
                between = interaction_of(frame, parameters)
            if between is not None and wanted.surface is not None:
                if ground.response is None:
                    state, n, limit = ground.state, wanted.singlets, wanted.tolerance
                    roots = excite(state, between, n, tolerance=limit, method=EXACT)
                else:
                    surrounded = SurroundedStates.lowest(
                        ground.response, between, wanted.singlets, wanted.tolerance
                    )
                    roots = surrounded.states
                followed = wanted.surface(roots, ground)
                emission = surrounded.emission(followed) if surrounded is not None else None
            elif between is not None:
                found = excited_states(frame, ground, between, parameters, wanted)
    gradient = None
    with clock.step("forces"):
        if wanted.forces:
            bar: ExcitationCotangent | ResponseCotangent | None = None
            if surrounded is not None and followed is not None:
                bar = surrounded.cotangent(followed)
            elif roots is not None and between is not None and ground is not None:
                own = np.arange(roots.n_state) == followed
                shared = shared_among_degenerate(roots.energies, own)
                bar = excite_adjoint(roots, ground.state, between, shared)
            gradient = _gradient(model, prediction, record, ground, bar)
    with clock.step("dispersion"):
        functional = parameters.functional if wanted.dispersion and known else None
        d4 = dispersion_of(structure, functional, wanted.forces)
    total = energy + d4.energy
    if roots is not None and followed is not None:
        total += float(roots.energies[followed])
    return Evaluation(
        prediction=prediction,
        frame=frame,
        ground=ground,
        singlets=found.get("singlet"),
        triplets=found.get("triplet"),
        doublets=found.get("doublet"),
        roots=roots,
        emission=emission,
        energy=total if known else None,
        dispersion=d4,
        forces=None if gradient is None else -(gradient + d4.gradient),
        polarizability=alpha,
        timings=clock.timings,
    )


def interaction_of(frame: AtomicOrbitals, parameters: Parameters) -> Interaction:
    """Interaction between configurations of one structure, with the constants of a set."""
    structure, basis = frame.structure, frame.basis
    return build_interaction(
        structure.numbers,
        structure.positions,
        basis.orbital_atom,
        basis.orbital_l,
        parameters.excitation,
    )


def excited_states(
    frame: AtomicOrbitals,
    ground: GroundState,
    between: Interaction,
    parameters: Parameters,
    wanted: Wanted,
) -> dict[Multiplicity, ExcitedStates]:
    """Excited states of each multiplicity wanted, in the solvent if there is one.

    Parameters
    ----------
    frame : AtomicOrbitals
    ground : GroundState
    between : Interaction
        Of :func:`interaction_of`.
    parameters : Parameters
    wanted : Wanted
    """
    state, response, moment = ground.state, ground.response, parameters.excitation.moment
    solvated = None if response is None else SolvatedExcitations.of(response.embedding)
    basis, structure = frame.basis, frame.structure
    velocity = velocity_integrals(basis, structure.positions)
    operators = (
        dipole_integrals(basis, structure.positions),
        velocity,
        angular_integrals(basis, structure.positions, np.zeros(3), velocity),
    )
    asked: dict[Multiplicity, int] = {"singlet": wanted.singlets, "triplet": wanted.triplets}
    spins, bright = (state, state), "singlet"
    if structure.multiplicity > 1 and response is not None:
        asked, spins, bright = {"doublet": wanted.doublets}, response.states, "doublet"
    out: dict[Multiplicity, ExcitedStates] = {}
    for multiplicity, number in asked.items():
        bound, terms = wanted.max_energy if multiplicity == bright else None, None
        if not number and bound is None:
            continue
        how = multiplicity, bound
        if solvated is None or response is None:
            settings = wanted.tolerance, wanted.method
            states, orbitals = lowest(spins, between, number or None, *how, *settings)
        else:
            states, orbitals, terms = solvated.lowest(
                response, between, number, *how, wanted.method
            )
        atomic = frame.inverse_root @ orbitals.orbitals
        out[multiplicity] = intensities(states, atomic, *operators, structure.center, moment, terms)
    return out


def _gradient(
    model: Model,
    prediction: Prediction,
    record: ModelRecord,
    ground: GroundState | None,
    bar: ExcitationCotangent | ResponseCotangent | None,
) -> np.ndarray:
    """(n_atom, 3) derivative of the energy without dispersion, hartree / bohr."""
    if ground is None:
        return model.energy_slope(prediction, record)
    cotangent = Cotangent(energy=1.0)
    if bar is not None:
        cotangent = cotangent._replace(hamiltonian=bar.hamiltonian)
    if isinstance(bar, ResponseCotangent):
        cotangent = cotangent._replace(atom_dipoles=bar.atom_dipoles, constants=bar.constants)
    _, walked = reverse(
        model, prediction, record, [ground], [cotangent], with_positions=True, with_weights=False
    )
    assert walked is not None
    return walked if bar is None else walked + bar.positions
