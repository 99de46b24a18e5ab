"""Excited states in the loss: the last, gentle stage of a training.

The constants of the interaction stay those of the parameter set that the run starts from; the
Hamiltonian learns, through the adjoint of the excitation step, what is left of the errors of
excitation energies. Levels, charges, energies and forces of the reference go on teaching it, so
that it gives none of them away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.excited.constants import ExcitationParameters
from mlsemi.excited.excitations import excite, excite_adjoint, shared_among_degenerate
from mlsemi.excited.intensities import lengths, strengths_adjoint
from mlsemi.excited.interaction import Interaction
from mlsemi.excited.states import Excitations
from mlsemi.excited.tamm_dancoff import DEGENERATE as SAME_LEVEL
from mlsemi.ground.adjoint import Cotangent, reverse
from mlsemi.ground.state import ground_state
from mlsemi.model.model import Model
from mlsemi.molecule.pairs import PairList
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.training.data.dataset import Reference
from mlsemi.training.objective.excitation_cases import (
    BRIGHT,
    HIGHER,
    N_MODEL,
    SOFT,
    Case,
    case_of,
    match,
    reference_strengths,
)
from mlsemi.training.objective.excitation_cases import DEGENERATE as CLOSE_STATES
from mlsemi.training.objective.loss import soft_square
from mlsemi.units import HARTREE_EV

SOFT_RATIO = 0.5
"""Log ratio of two strengths at which its square turns linear."""

DARK = 0.02
"""Added to both strengths of a ratio, so that a dark state does not count without bound."""


def excited_loss(
    model: Model,
    records: Sequence[Reference],
    constants: ExcitationParameters,
    triplet_shift: float,
    strengths: float,
    with_gradient: bool = True,
) -> tuple[float, dict[str, np.ndarray]]:
    """Summed loss of the excited states of some records, and its gradient, atomic units.

    Parameters
    ----------
    model : Model
    records : sequence of Reference
        With singlets, and triplets where they are known.
    constants : ExcitationParameters
        Of the interaction between configurations; they are not trained.
    triplet_shift : float
        Added to the triplets of the records, hartree.
    strengths : float
        Weight of the strengths, see :class:`~mlsemi.training.objective.loss.LossWeights`.
    with_gradient : bool
    """
    pairs = PairList.of([r.structure for r in records], model.form.elements, model.form.cutoff)
    prediction, record = model.predict(pairs)
    grounds = [ground_state(model, prediction, index) for index in range(len(records))]
    found = [
        states_loss(r, g.state, constants, triplet_shift, strengths, with_gradient)
        for r, g in zip(records, grounds, strict=True)
    ]
    loss = sum(value for value, _ in found)
    if not with_gradient:
        return loss, {}
    bars = [Cotangent(hamiltonian=bar) for _, bar in found]
    return loss, reverse(model, prediction, record, grounds, bars)[0]


def states_loss(
    record: Reference,
    state: ElectronicState,
    constants: ExcitationParameters,
    triplet_shift: float,
    strengths: float,
    with_gradient: bool = True,
) -> tuple[float, np.ndarray]:
    """Loss of one record and its derivative by the Hamiltonian (or zeros), atomic units.

    Weighted mean of the soft squares of w_k - w_k^ref over the valence states of the reference
    and the model states that resemble them (:func:`excitation_cases.match`), and of
    log f_k / f_k^ref over the bright singlets among them.

    Parameters
    ----------
    record : Reference
    state : ElectronicState
        Of the model at the same geometry.
    constants : ExcitationParameters
        Of the interaction between configurations.
    triplet_shift : float
        Added to the triplets of the record, hartree.
    strengths : float
        Weight of the second part, eV^2.
    with_gradient : bool
    """
    case = case_of(record, state, triplet_shift)
    between = case.interaction(constants)
    loss, hamiltonian_bar = 0.0, np.zeros_like(state.orbitals)
    for multiplicity, reference in case.energies.items():
        if not reference.size:
            continue
        states = excite(state, between, N_MODEL, multiplicity)
        found, sure = match(case, states)
        share = np.where(np.arange(reference.size) == 0, 1.0, HIGHER)
        share = sure * share / share.sum()
        square, slope = soft_square(states.energies[found] - reference, SOFT)
        loss += float(share @ square)
        if with_gradient:
            bar = _of_levels(states, found, share * slope)
            hamiltonian_bar += excite_adjoint(states, state, between, bar).hamiltonian
        if multiplicity == "singlet" and strengths:
            more, bar = _strengths_loss(
                case, states, between, found, share, constants.moment, with_gradient
            )
            loss += strengths / HARTREE_EV**2 * more
            hamiltonian_bar += strengths / HARTREE_EV**2 * bar
    return loss, hamiltonian_bar


def _strengths_loss(
    case: Case,
    states: Excitations,
    between: Interaction,
    found: np.ndarray,
    share: np.ndarray,
    moment: float,
    with_gradient: bool,
) -> tuple[float, np.ndarray]:
    """Weighted soft squares of log f / f(reference), and the derivative by the Hamiltonian.

    Left out are states that are not bright in the reference, and those so close to another one
    that a small change mixes them; what follows the last state is not known.
    """
    reference = reference_strengths(case.record)
    distance = np.abs(states.energies[:, None] - states.energies[None, :])
    mixed = np.any((distance < CLOSE_STATES) & (distance > SAME_LEVEL), axis=1)
    if states.n_state < states.amplitudes[0].size:
        mixed |= distance[-1] < CLOSE_STATES
    share = share * (reference > BRIGHT) * ~mixed[found]
    if not share.any():
        return 0.0, np.zeros_like(case.state.orbitals)
    _, every = lengths(states, case.state.orbitals, case.dipole, moment)
    strengths = shared_among_degenerate(states.energies, every)[found]
    ratio = np.log((strengths + DARK) / (reference + DARK))
    square, slope = soft_square(ratio, SOFT_RATIO)
    if not with_gradient:
        return float(share @ square), np.zeros_like(case.state.orbitals)
    bar = _of_levels(states, found, share * slope / (strengths + DARK))
    cotangent, _ = strengths_adjoint(states, case.state, between, case.dipole, bar, moment)
    return float(share @ square), cotangent.hamiltonian


def _of_levels(states: Excitations, found: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """(n_state,) cotangents from those of the matched states, equal within a degenerate level."""
    bar = np.zeros(states.n_state)
    np.add.at(bar, found, slopes)
    return shared_among_degenerate(states.energies, bar)
