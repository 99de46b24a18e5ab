"""Excited-state potential energy surfaces: E + w_k, its analytic gradient, and which k it is.

The surface of the k-th excited singlet is the ground-state energy plus the excitation energy
(theory section 10); one reverse walk gives the gradient of the sum. Along a path a state is known
by its character, not by its number: :class:`Character`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mlsemi.brief import Brief
from mlsemi.errors import InputError, StateError
from mlsemi.excited.states import Excitations
from mlsemi.ground.state import NOTHING, GroundState
from mlsemi.machine.threads import limited, useful
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.periodic.result import refuse_in_cells
from mlsemi.response.surroundings import Surroundings
from mlsemi.units import BOLTZMANN, HARTREE_EV
from mlsemi.walk import Wanted, evaluate

RESIDUAL = 1e-7
"""Tolerance of |A X - w X|, hartree: the gradient at fixed X is linear in it."""

MARGIN = 4
"""States computed above the one that is followed, so that it may rise among them."""

KNOWN = 0.5
"""A state whose overlap with the one before is smaller is not the same any more."""

CARTESIAN = np.array([1, 2, 0])
"""Cartesian axis of the p functions m = -1, 0, 1."""


@dataclass(frozen=True, eq=False, repr=False)
class Character(Brief):
    """What an excited state is, comparable between neighbouring geometries.

    Attributes
    ----------
    structure : Structure
        The geometry it belongs to.
    transition : (n_orbital, n_orbital) array
        Transition density C_occ X C_vir^T in the Loewdin frame, of norm one.
    """

    structure: Structure
    transition: np.ndarray

    def overlaps(self, structure: Structure, transitions: np.ndarray) -> np.ndarray:
        """|<T, T_k>| with states at another geometry of the same molecule, turned onto this one.

        Parameters
        ----------
        structure : Structure
        transitions : (n_state, n_orbital, n_orbital) array
        """
        turn = _turn(self.structure, structure)
        own = turn @ self.transition @ turn.T
        return np.abs(np.tensordot(transitions, own, axes=((1, 2), (0, 1))))

    def fits(self, structure: Structure) -> bool:
        """Whether the other geometry is one of the same molecule."""
        return bool(
            np.array_equal(self.structure.numbers, structure.numbers)
            and self.structure.charge == structure.charge
        )


def _turn(before: Structure, after: Structure) -> np.ndarray:
    """(n_orbital, n_orbital) rotation of the orbitals that turns one geometry onto the other."""
    basis = Basis.of(before)
    out = np.eye(basis.orbital_l.size)
    x, y = (s.positions - s.positions.mean(axis=0) for s in (before, after))
    if before.n_atom > 1 and max(np.linalg.norm(x), np.linalg.norm(y)) > 0.0:
        rotation = _best_rotation(x, y)[np.ix_(CARTESIAN, CARTESIAN)]
        for start in np.flatnonzero(basis.orbital_l == 1)[::3]:
            out[start : start + 3, start : start + 3] = rotation
    return out


def _best_rotation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rotation R with R x ~ y (Kabsch), the smallest one where a line leaves it undetermined."""
    u, singular, vt = np.linalg.svd(x.T @ y)
    if singular[1] < 1e-6 * singular[0]:
        axis_x, axis_y = u[:, 0], vt[0]
        return Rotation.align_vectors(axis_y[None], axis_x[None])[0].as_matrix()
    sign = np.sign(np.linalg.det(u @ vt))
    return (u * np.array([1.0, 1.0, sign]) @ vt).T


@dataclass(frozen=True, eq=False, repr=False)
class SurfacePoint(Brief):
    """One excited singlet at one geometry.

    Attributes
    ----------
    energy : float
        Total energy of the excited state with dispersion, hartree.
    excitation_energy : float
        Above the ground state, hartree.
    emission_energy : float
        Of light that is emitted; less in a solvent, which stays what the excited state made of it.
    gap : float
        To the nearest other excited singlet, hartree (infinite without one).
    forces : (n_atom, 3) array or None
        Hartree / bohr.
    index : int
        Number of the state by energy, 1 the lowest.
    overlap : float
        With the state that was followed, 1 without one.
    character : Character
    ground : GroundState
        At the same geometry, without dispersion.
    """

    energy: float
    excitation_energy: float
    emission_energy: float
    gap: float
    forces: np.ndarray | None
    index: int
    overlap: float
    character: Character
    ground: GroundState


@dataclass(frozen=True)
class Crossing:
    """The followed excited state changed its number, or was not recognised any more.

    Attributes
    ----------
    evaluation : int
        Geometry at which it was noticed, counted from 0.
    before, after : int
        Number of the state by energy; 0 as ``after`` means that it fell below the ground state.
    overlap : float
        Of the state with the one before.
    gap_ev : float
        To the nearest other excited singlet.
    """

    evaluation: int
    before: int
    after: int
    overlap: float
    gap_ev: float

    @classmethod
    def of(cls, evaluation: int, before: SurfacePoint, point: SurfacePoint) -> Crossing | None:
        """What happened between two geometries, if anything did."""
        fell = point.excitation_energy < 0.0 <= before.excitation_energy
        if point.index == before.index and point.overlap >= KNOWN and not fell:
            return None
        after = 0 if fell else point.index
        return cls(evaluation, before.index, after, point.overlap, point.gap * HARTREE_EV)

    def __str__(self) -> str:
        where = f"geometry {self.evaluation}: excited singlet {self.before}"
        if self.after == 0:
            return f"{where} lies below the ground state"
        if self.overlap < KNOWN:
            return f"{where} is lost (overlap {self.overlap:.2f}), number {self.after} by energy"
        return f"{where} is now number {self.after} (overlap {self.overlap:.2f})"


CROSSED = 0.004
"""Hartree (0.1 eV) below the ground state at which an excited state is not followed any more: a
step may overshoot a crossing by less."""


def check_uncrossed(evaluation: int, point: SurfacePoint) -> None:
    """Refuse to go on behind a crossing with the ground state.

    Parameters
    ----------
    evaluation : int
        Number of the geometry.
    point : SurfacePoint

    Raises
    ------
    StateError
        If the state lies below the ground state by more than ``CROSSED``.
    """
    if point.excitation_energy < -CROSSED:
        raise StateError(
            f"geometry {evaluation}: excited singlet {point.index} lies "
            f"{-point.excitation_energy * HARTREE_EV:.2f} eV below the ground state: the two "
            "have crossed, and excited states mean nothing from there on; end the path at the "
            "geometry before, or go on from it with state=0"
        )


def excited_surface(
    structure: Structure,
    parameters: Parameters,
    state: int,
    *,
    forces: bool = True,
    dispersion: bool = True,
    electronic_temperature: float = 0.0,
    surroundings: Surroundings = NOTHING,
    threads: int = 1,
    previous: SurfacePoint | None = None,
) -> SurfacePoint:
    """Energy and forces of the ``state``-th excited singlet (1 is the lowest).

    Degenerate states share the gradient of their mean.

    Parameters
    ----------
    structure : Structure
    parameters : Parameters
    state : int
        At least 1; by energy, unless ``previous`` says what the state is.
    forces : bool
    dispersion : bool
        Add the D4 dispersion of the functional the parameters were trained on.
    electronic_temperature : float
        Of the ground state, kelvin; the excitation is one of the closed shell.
    surroundings : Surroundings
        A solvent is in equilibrium with the state (theory eq 19a).
    threads : int
        Threads of the linear-algebra libraries.
    previous : SurfacePoint, optional
        At a neighbouring geometry: the state most like its state is taken instead, unless none
        has an overlap of at least ``KNOWN``.

    Raises
    ------
    InputError
        If the molecule is no neutral closed shell, or has fewer excited states, or an element
        without parameters.
    ConvergenceError
        If the excitations do not converge.
    """
    if structure.charge or structure.multiplicity > 1:
        raise InputError(
            "energy and forces of excited states are there for neutral closed shells only"
        )
    refuse_in_cells({"an excited state": structure.cell is not None})
    parameters.check(structure)

    def followed(states: Excitations, ground: GroundState) -> int:
        if not 1 <= state <= states.n_state:
            raise InputError(f"no excited singlet {state}: there are {states.n_state}")
        return _recognise(structure, _transitions(states, ground), state, previous)[0] - 1

    highest = max(state, previous.index if previous is not None else 0)
    wanted = Wanted(
        forces=forces,
        dispersion=dispersion,
        kt=electronic_temperature * BOLTZMANN,
        surroundings=surroundings,
        singlets=highest + MARGIN,
        tolerance=RESIDUAL,
        surface=followed,
    )
    with limited(useful(threads, structure.n_orbital)):
        found = evaluate(structure, parameters, wanted)
    states, ground, energy = found.roots, found.ground, found.energy
    assert states is not None
    assert ground is not None
    assert energy is not None
    transitions = _transitions(states, ground)
    index, overlap = _recognise(structure, transitions, state, previous)
    excitation_energy = float(states.energies[index - 1])
    others = np.delete(states.energies, index - 1)
    return SurfacePoint(
        energy=energy,
        excitation_energy=excitation_energy,
        emission_energy=excitation_energy if found.emission is None else found.emission,
        gap=float(np.abs(others - excitation_energy).min(initial=np.inf)),
        forces=found.forces,
        index=index,
        overlap=overlap,
        character=Character(structure, transitions[index - 1]),
        ground=ground,
    )


def _transitions(states: Excitations, ground: GroundState) -> np.ndarray:
    """(n_state, n_orbital, n_orbital) transition densities in the Loewdin frame."""
    n = ground.state.n_occupied
    C = ground.state.orbitals
    return C[:, :n] @ states.amplitudes @ C[:, n:].T


def _recognise(
    structure: Structure, transitions: np.ndarray, state: int, previous: SurfacePoint | None
) -> tuple[int, float]:
    """Number of the state like the previous one and its overlap; by energy if none is."""
    if previous is None or not previous.character.fits(structure):
        return state, 1.0
    overlaps = previous.character.overlaps(structure, transitions)
    best = int(np.argmax(overlaps))
    return (best + 1 if overlaps[best] >= KNOWN else state), float(overlaps[best])
