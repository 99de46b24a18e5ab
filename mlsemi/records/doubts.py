"""What a user should know about the result of a single point, in words."""

from __future__ import annotations

from collections.abc import Mapping

from mlsemi.excited.states import ExcitedStates, Multiplicity
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.units import HARTREE_EV

LEAST_GAP_EV = 0.3
"""Molecules with a smaller gap are warned about."""


MIXED = 1.25
"""<S^2> above which a sixth of a doublet is a quartet: 0.75 of the one, 3.75 of the other."""

OF_NEUTRAL = "the polarisability is that of the neutral molecule with paired electrons"


def no_gap(state: ElectronicState) -> tuple[str, ...]:
    """A warning where it is arbitrary which orbitals are occupied."""
    gap = (state.lumo - state.homo) * HARTREE_EV
    if state.kt or not gap < LEAST_GAP_EV:
        return ()
    return (
        f"the gap is {gap:.2f} eV: a closed shell is the wrong picture, and charges and bond "
        "orders are arbitrary; an electronic temperature gives fractional occupations",
    )


def excitation_doubts(
    asked: Mapping[Multiplicity, int], found: Mapping[Multiplicity, ExcitedStates | None]
) -> tuple[str, ...]:
    """What a user should know about the excited states."""
    out = []
    for multiplicity, number in asked.items():
        states = found[multiplicity]
        if states is None:
            continue
        if states.selection_errors is not None:
            worst = float(states.selection_errors.max(initial=0.0)) * HARTREE_EV
            out.append(
                f"{multiplicity}s of selected configurations: those left out lower the energies by "
                f"up to {worst:.1g} eV (second order, included)"
            )
        if states.s_squared is not None and (mixed := int((states.s_squared > MIXED).sum())):
            out.append(
                f"{mixed} of {states.n_state} {multiplicity}s are mixed with quartets (<S2> above "
                f"{MIXED}): configurations of three open shells, which one spin alone does not make"
            )
        if states.n_state < number:
            out.append(f"only {states.n_state} {multiplicity}s exist in the minimal basis")
        if states.n_state and states.energies[0] < 0.0:
            out.append(
                f"the lowest {multiplicity} lies below the ground state: the ground state is "
                "unstable or the geometry unusual"
            )
    return tuple(out)
