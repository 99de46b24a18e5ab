"""Excited-state potential energy surfaces: E + w_k and its analytic gradient.

Section 7 of the theory: the surface of the k-th excited singlet is the ground-state energy plus
the excitation energy; one reverse walk gives the gradient of the sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from mlsemi.adjoint import Cotangent, reverse
from mlsemi.basis import Basis
from mlsemi.errors import InputError
from mlsemi.excitations import build_interaction, excite_adjoint, excite_with
from mlsemi.ground import ground_state
from mlsemi.pairs import PairList
from mlsemi.parameters import Parameters
from mlsemi.structure import Structure

DEGENERATE = 1e-6
"""States closer than this (hartree) share the gradient of their mean energy."""


@dataclass(frozen=True, eq=False)
class SurfacePoint:
    """Energy and forces of one excited singlet at one geometry.

    Attributes
    ----------
    energy : float
        Total energy of the excited state, hartree.
    excitation_energy : float
        Above the ground state, hartree.
    forces : (n_atom, 3) array
        Hartree / bohr.
    """

    energy: float
    excitation_energy: float
    forces: np.ndarray


def excited_surface(
    structure: Structure, parameters: Parameters, state: int, threads: int = 1
) -> SurfacePoint:
    """Energy and forces of the ``state``-th excited singlet (1 is the lowest).

    States are ordered by energy at every geometry, so that the forces jump where two states
    cross; degenerate states share the gradient of their mean.

    Parameters
    ----------
    structure : Structure
    parameters : Parameters
    state : int
        At least 1.
    threads : int
        Threads of the linear-algebra libraries.

    Raises
    ------
    InputError
        If the molecule has fewer excited states, or an element without parameters.
    ConvergenceError
        If the excitations do not converge.
    """
    parameters.check(structure)
    model, basis = parameters.model, Basis.of(structure)
    with threadpool_limits(limits=threads):
        pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
        prediction, record = model.predict(pairs)
        ground = ground_state(model, prediction, 0)
        between = build_interaction(
            structure.numbers,
            structure.positions,
            basis.orbital_atom,
            basis.orbital_l,
            parameters.excitation,
        )
        states = excite_with(ground.state, between, state + 2)
        if not 1 <= state <= states.n_state:
            raise InputError(f"no excited singlet {state}: there are {states.n_state}")
        partners = np.abs(states.energies - states.energies[state - 1]) < DEGENERATE
        bar = excite_adjoint(states, ground.state, between, partners / partners.sum())
        cotangent = Cotangent(hamiltonian=bar.hamiltonian, energy=1.0)
        _, walked = reverse(
            model, pairs, prediction, record, [ground], [cotangent], with_positions=True
        )
    assert walked is not None
    excitation_energy = float(states.energies[state - 1])
    return SurfacePoint(
        ground.energy + excitation_energy, excitation_energy, -(walked + bar.positions)
    )
