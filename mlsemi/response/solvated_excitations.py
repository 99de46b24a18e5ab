"""Excited states in a polarisable continuum: what the solvent does during and after a transition.

The orbitals are those in the full field of the ground state (slow and fast polarisation). With
K = f K_1 at the static dielectric constant, K_fast = f_fast K_1 at the optical one, and
K_slow = K - K_fast:

- linear response: the transition charges polarise the solvent, gamma^K -> gamma^K + K_fast in
  (ia|jb) of singlets (Cammi, Mennucci, J. Chem. Phys. 110, 9877 (1999));
- state-specific, to first order: the fast polarisation follows the charges dq_k of the state,
  w_k += 1/2 dq_k K_fast dq_k (Caricato et al., J. Chem. Phys. 124, 124520 (2006)); both terms are
  added (Guido, Chrayteh, Scalmani, Mennucci, Jacquemin, J. Chem. Theory Comput. 17, 5155 (2021));
- emission from a solvent in equilibrium with the state: w_k + dq_k K_slow dq_k.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlsemi.excited.analysis import excitation_populations
from mlsemi.excited.interaction import Interaction
from mlsemi.excited.method import TDA, Method
from mlsemi.excited.states import Excitations, Multiplicity, SolventTerms
from mlsemi.excited.unrestricted import lowest
from mlsemi.kernels.response import transition_populations
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.orbitals.observables import orbital_atom, shells_of
from mlsemi.response.cavity import Cavity
from mlsemi.response.difference_density import Response
from mlsemi.response.solvents import Solvent
from mlsemi.response.surroundings import Embedding

DEGENERATE = 5e-5
"""Hartree; the points of the cavity, which do not turn with the molecule, split levels by less."""

MORE_STATES, MORE_ENERGY = 6, 0.02
"""States (or hartree) computed beyond those wanted, which state-specific terms may bring below."""

SAME = 0.5
"""Squared overlap from which on a state with and one without the solvent are the same."""


@dataclass(frozen=True, eq=False)
class SolvatedExcitations:
    """The solvent around one molecule as its excitations meet it.

    Attributes
    ----------
    structure : Structure
    cavity : Cavity
    solvent : Solvent
    """

    structure: Structure
    cavity: Cavity
    solvent: Solvent

    @classmethod
    def of(cls, embedding: Embedding) -> SolvatedExcitations | None:
        """The solvent of an embedding; None where there is none."""
        solvent = embedding.surroundings.solvent
        if embedding.cavity is None or solvent is None:
            return None
        return cls(embedding.structure, embedding.cavity, solvent)

    @property
    def fast(self) -> np.ndarray:
        """(n_atom, n_atom) K_fast between atomic charges, hartree."""
        return self.solvent.fast_factor * self.cavity.between_charges

    @property
    def slow(self) -> np.ndarray:
        """(n_atom, n_atom) K_slow, hartree."""
        return self.solvent.factor * self.cavity.between_charges - self.fast

    def interaction(self, between: Interaction) -> Interaction:
        """Interaction with the linear response of the solvent in gamma^K."""
        return replace(between, gamma_k=between.gamma_k + self.fast)

    def lowest(
        self,
        response: Response,
        between: Interaction,
        n_states: int,
        multiplicity: Multiplicity,
        max_energy: float | None = None,
        method: Method = TDA,
    ) -> tuple[Excitations, ElectronicState, SolventTerms]:
        """Lowest states in the solvent, the orbitals between which they are, and what it does.

        Parameters
        ----------
        response : Response
            The ground state in the solvent.
        between : Interaction
            Without the solvent.
        n_states : int
            How many; has no effect with ``max_energy``.
        multiplicity : "singlet", "triplet" or "doublet"
        max_energy : float, optional
            All states up to this energy, hartree.
        method : Method
        """
        n = n_states + MORE_STATES if max_energy is None else None
        bound = None if max_energy is None else max_energy + MORE_ENERGY

        def solved(of: Response, interaction: Interaction) -> tuple[Excitations, ElectronicState]:
            return lowest(of.states, interaction, n, multiplicity, bound, method=method)

        wet, state = solved(response, self.interaction(between))
        dry = solved(response.dry, between)
        states, terms = self.in_order(wet, state)
        terms = terms._replace(shift=shifts(states, state, *dry))
        n_wanted = n_states
        if max_energy is not None:
            n_wanted = int(np.searchsorted(states.energies, max_energy, side="right"))
        wanted = np.arange(min(n_wanted, states.n_state))
        return states.picked(wanted), state, terms.picked(wanted)

    def in_order(
        self, states: Excitations, ground: ElectronicState
    ) -> tuple[Excitations, SolventTerms]:
        """States with their state-specific terms, by energy again; shifts are not known yet.

        Degenerate states share their mean change of the charges, which symmetry leaves as it is.

        Parameters
        ----------
        states : Excitations
            Computed with :meth:`interaction`.
        ground : ElectronicState
        """
        changed = self._charge_changes(states, ground)
        level = np.cumsum(np.diff(states.energies, prepend=-np.inf) > DEGENERATE) - 1
        size = np.bincount(level) if level.size else np.ones(0)
        shared = np.zeros((size.size, self.structure.n_atom))
        np.add.at(shared, level, changed)
        changed = (shared / size[:, None])[level]
        specific = 0.5 * np.einsum("ka,ab,kb->k", changed, self.fast, changed)
        energies = states.energies + specific
        terms = SolventTerms(
            self._linear_response(states, ground),
            specific,
            energies + np.einsum("ka,ab,kb->k", changed, self.slow, changed),
            np.full(states.n_state, np.nan),
        )
        order = np.argsort(energies, kind="stable")
        return replace(states, energies=energies).picked(order), terms.picked(order)

    def _charge_changes(self, states: Excitations, ground: ElectronicState) -> np.ndarray:
        """(n_state, n_atom) charges of the excited less those of the ground state, e."""
        shells = excitation_populations(self.structure, ground, states)
        first = np.flatnonzero(np.diff(shells_of(self.structure)[0], prepend=-1))
        return -np.add.reduceat(shells, first, axis=1)

    def _linear_response(self, states: Excitations, ground: ElectronicState) -> np.ndarray:
        """(n_state,) 2 q_k K_fast q_k of transition charges q_k of one spin, for singlets.

        q_k K_fast q_k of the sums over both spins for doublets; zero for triplets.
        """
        if states.multiplicity == "triplet":
            return np.zeros(states.n_state)
        occ, X, vir = states.between(ground.orbitals)
        if states.deexcitations is not None:
            X = X + states.deexcitations
        atoms = orbital_atom(self.structure)
        both = np.ascontiguousarray(np.hstack([occ, vir]))
        populations = transition_populations(both, occ.shape[1], atoms, self.structure.n_atom)
        q = np.einsum("kia,Aia->kA", X, populations, optimize=True)
        return states.spin_factor * np.einsum("ka,ab,kb->k", q, self.fast, q)


def shifts(
    states: Excitations, state: ElectronicState, dry: Excitations, dry_state: ElectronicState
) -> np.ndarray:
    """(n_state,) shifts in a solvent from the states without it that are most like them, hartree.

    Parameters
    ----------
    states : Excitations
        In the solvent.
    state : ElectronicState
        Their orbitals.
    dry : Excitations
        Without the solvent.
    dry_state : ElectronicState
    """
    if not states.n_state or not dry.n_state:
        return np.full(states.n_state, np.nan)
    occ, X, vir = states.between(state.orbitals)
    dry_occ, dry_X, dry_vir = dry.between(dry_state.orbitals)
    left, right = dry_occ.T @ occ, dry_vir.T @ vir
    if states.n_alpha is not None:
        for block, n in zip((left, right), states.n_alpha, strict=True):
            block[:n, n:], block[n:, :n] = 0.0, 0.0
    turned = left.T @ dry_X @ right
    overlaps = np.einsum("kia,jia->kj", X, turned, optimize=True) ** 2
    overlaps /= np.einsum("kia,kia->k", X, X)[:, None]
    overlaps /= np.einsum("kia,kia->k", dry_X, dry_X)
    best = dry.energies[np.argmax(overlaps, axis=1)]
    level = np.abs(dry.energies - best[:, None]) < DEGENERATE
    known = np.sum(overlaps * level, axis=1) >= SAME
    return np.where(known, states.energies - best, np.nan)
