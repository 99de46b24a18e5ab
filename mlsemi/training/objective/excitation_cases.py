"""Excited states of a parameter set beside those of the reference: which is which.

States are matched by the overlap of their transition densities, X_AO = C_occ X C_vir^T in the
Loewdin frame of the model and sum_ia X_ia t_i t_a^T in the IAO frame of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import linear_sum_assignment

from mlsemi.errors import InputError
from mlsemi.evaluate import molecular
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.excited.excitations import build_interaction
from mlsemi.excited.interaction import Interaction
from mlsemi.excited.states import Excitations, Multiplicity
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.integrals import dipole_integrals, overlap
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState, inverse_root
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import Reference
from mlsemi.units import HARTREE_EV

MULTIPLICITIES: tuple[Multiplicity, ...] = ("singlet", "triplet")

VALENCE_NORM = 0.7
"""Squared norm of a transition density in the valence frame above which a state is fitted."""

SAME_STATE, SURELY_SAME = 0.5, 0.7
"""Squared overlaps of normalised transition densities between which a match gains its weight.

A pair may change partners where its overlaps tie, at one half at most: the loss stays continuous.
"""

DEGENERATE = 2e-3
"""Model states closer than this (hartree) share their overlaps with a reference state."""

TIE_BREAK = 1e-3
"""Weight of the overlap that a state does not share, where sharing makes two equal."""

N_MODEL = 20
"""Model states per multiplicity among which the reference states are looked for."""

SOFT, HIGHER = 0.25 / HARTREE_EV, 0.5
"""Error (hartree) at which a loss turns from quadratic to linear, and weight of a higher state
relative to the lowest of its multiplicity: the same for constants and for the Hamiltonian."""

BRIGHT = 0.05
"""Oscillator strength from which on a state is bright."""

RIS_SHIFT = 0.07 / HARTREE_EV
"""What TDA-ris singlets lack on average against full ones (``validation/ris.md``), hartree."""


@dataclass(frozen=True, eq=False)
class Case:
    """One molecule: the model's orbitals and the valence states of the reference.

    Attributes
    ----------
    record : Reference
    state : ElectronicState
    energies : dict of multiplicity to (k,) array
        Valence states of the reference, hartree.
    transitions : dict of multiplicity to (k, n, n) array
        Their normalised transition densities.
    """

    record: Reference
    state: ElectronicState
    energies: dict[Multiplicity, np.ndarray]
    transitions: dict[Multiplicity, np.ndarray]

    @property
    def structure(self) -> Structure:
        """Geometry."""
        return self.record.structure

    def interaction(self, constants: ExcitationParameters) -> Interaction:
        """Screened interaction with these constants."""
        basis = Basis.of(self.structure)
        return build_interaction(
            self.structure.numbers,
            self.structure.positions,
            basis.orbital_atom,
            basis.orbital_l,
            constants,
        )

    @cached_property
    def dipole(self) -> np.ndarray:
        """(3, n_orbital, n_orbital) dipole integrals in the Loewdin frame, bohr."""
        return loewdin_dipole(Basis.of(self.structure), self.structure.positions)


def loewdin_dipole(basis: Basis, positions: np.ndarray) -> np.ndarray:
    """(3, n_orbital, n_orbital) dipole integrals S^-1/2 r S^-1/2, bohr."""
    root = inverse_root(overlap(basis, positions))
    return root @ dipole_integrals(basis, positions) @ root


def in_valence_frame(densities: np.ndarray) -> np.ndarray:
    """(k,) which transition densities (k, n, n) keep ``VALENCE_NORM`` of their squared norm."""
    return np.sum(densities**2, axis=(1, 2)) > VALENCE_NORM


def valence_states(record: Reference, multiplicity: Multiplicity) -> tuple[np.ndarray, np.ndarray]:
    """Energies and normalised transition densities of the valence states of a record.

    Left out are states with less than ``VALENCE_NORM`` of their squared norm in the valence
    frame: Rydberg states, which a valence basis cannot describe.

    Returns
    -------
    (k,) array, hartree, and (k, n, n) array; empty if the record has no excitations.
    """
    energies = getattr(record, f"{multiplicity}_energies")
    densities = getattr(record, f"{multiplicity}_transitions")
    if energies is None or densities is None:
        n = record.structure.n_orbital
        return np.empty(0), np.empty((0, n, n))
    valence = in_valence_frame(densities)
    norm = np.linalg.norm(densities[valence], axis=(1, 2))
    return energies[valence], densities[valence] / norm[:, None, None]


def reference_strengths(record: Reference) -> np.ndarray:
    """(k,) oscillator strengths of the valence singlets."""
    assert record.singlet_strengths is not None
    assert record.singlet_transitions is not None
    return record.singlet_strengths[in_valence_frame(record.singlet_transitions)]


def case_of(record: Reference, state: ElectronicState, triplet_shift: float = 0.0) -> Case:
    """Orbitals beside the valence states of one record; arguments as of :func:`cases_of`."""
    found = {kind: valence_states(record, kind) for kind in MULTIPLICITIES}
    shift = {"singlet": 0.0, "triplet": triplet_shift}
    energies = {kind: pair[0] + shift[kind] for kind, pair in found.items()}
    return Case(record, state, energies, {kind: pair[1] for kind, pair in found.items()})


def cases_of(
    parameters: Parameters, records: Sequence[Reference], triplet_shift: float = 0.0
) -> list[Case]:
    """Orbitals of a parameter set beside the valence states of each record.

    Parameters
    ----------
    parameters : Parameters
    records : sequence of Reference
    triplet_shift : float
        Added to the triplets of the records, hartree.

    Raises
    ------
    InputError
        If no record has excitations.
    """
    cases = [
        case_of(record, molecular(record.structure, parameters=parameters).state, triplet_shift)
        for record in records
        if record.singlet_energies is not None
    ]
    if not cases:
        raise InputError("no record of the dataset has excitations: compute with --excitations N")
    return cases


def with_singlets(record: Reference) -> Reference:
    """The record itself if it has full singlets, else :func:`shifted_ris` if it has any."""
    if record.singlet_energies is not None or record.ris_transitions is None:
        return record
    return shifted_ris(record)


def shifted_ris(record: Reference) -> Reference:
    """The record with its TDA-ris singlets, raised by ``RIS_SHIFT``, in place of full ones."""
    assert record.ris_energies is not None
    return replace(
        record,
        singlet_energies=record.ris_energies + RIS_SHIFT,
        singlet_strengths=record.ris_strengths,
        singlet_transitions=record.ris_transitions,
        triplet_energies=None,
        triplet_transitions=None,
    )


def triplet_shift_of(parameters: Parameters) -> float:
    """What was added to the reference's triplets when the constants were fitted, hartree."""
    about = parameters.header.get("excitation_fit")
    options = about.get("options", {}) if isinstance(about, dict) else {}
    return float(options.get("triplet_shift", 0.0))


def match(case: Case, states: Excitations) -> tuple[np.ndarray, np.ndarray]:
    """Model state of each valence state of the reference, -1 where none resembles it, and weight.

    Hungarian assignment on squared overlaps of transition densities; degenerate model states
    share theirs, since they may be rotated among each other, and of those sharing the one that
    overlaps most is taken.

    Returns
    -------
    (k,) int array and (k,) array between 0 and 1.
    """
    target = case.transitions[states.multiplicity]
    found, weight = np.full(len(target), -1), np.zeros(len(target))
    if not target.size or not states.n_state:
        return found, weight
    n = case.state.n_occupied
    mine = case.state.orbitals[:, :n] @ states.amplitudes @ case.state.orbitals[:, n:].T
    overlap = np.tensordot(target, mine, ((1, 2), (1, 2))) ** 2
    together = np.abs(states.energies[:, None] - states.energies[None, :]) < DEGENERATE
    shared = overlap @ together
    rows, columns = linear_sum_assignment(-(shared + TIE_BREAK * overlap))
    weight[rows] = np.clip((shared[rows, columns] - SAME_STATE) / (SURELY_SAME - SAME_STATE), 0, 1)
    found[rows] = np.where(weight[rows] > 0.0, columns, -1)
    return found, weight
