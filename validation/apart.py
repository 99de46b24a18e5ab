"""Molecules side by side: far apart they must not feel each other, in contact they must rightly.

Dimers of the S22 set at their equilibrium (geometries and CCSD(T) interaction energies of
`ase.data.s22`: P. Jurecka, J. Sponer, J. Cerny, P. Hobza, Phys. Chem. Chem. Phys. 8, 1985 (2006)).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.data.s22 import (
    create_s22_system,
    get_interaction_energy_s22,
    get_number_of_dimer_atoms,
    s22,
)

from mlsemi import singlepoint
from mlsemi.parameters import Parameters
from mlsemi.units import HARTREE_EV

KCAL_MOL = units.mol / units.kcal
"""One eV in kcal/mol."""
FAR, VERY_FAR, STACK = 100.0, 1e5, 6.0
"""Angstrom."""
N_SINGLET = 20


def above(one: Atoms, other: Atoms, distance: float) -> Atoms:
    """The second molecule moved along z, angstrom."""
    raised = other.copy()
    raised.positions[:, 2] += distance
    return one + raised


def far_levels(parameters: Parameters) -> tuple[float, float]:
    """Largest change of a level and of the energy of ethene and nitromethane far apart, eV."""
    alone = [molecule("C2H4"), molecule("CH3NO2")]
    results = [singlepoint(a, parameters=parameters) for a in (*alone, above(*alone, FAR))]
    levels = [r.state.energies for r in results]
    change = np.abs(np.sort(np.concatenate(levels[:2])) - np.sort(levels[2])).max()
    energy = abs(results[2].energy - results[0].energy - results[1].energy)
    return float(change) * HARTREE_EV, energy * HARTREE_EV


def far_energy(parameters: Parameters, dispersion: bool) -> float:
    """Energy of benzene and water very far apart less those of the molecules, eV."""
    alone = [molecule("C6H6"), molecule("H2O")]
    both, *parts = (
        singlepoint(a, parameters=parameters, dispersion=dispersion).energy
        for a in (above(*alone, VERY_FAR), *alone)
    )
    return abs(both - sum(parts)) * HARTREE_EV


def stacked_singlets(parameters: Parameters) -> float:
    """Largest error of singlets of two stacked benzenes against all singlets, eV."""
    stack = above(molecule("C6H6"), molecule("C6H6"), STACK)
    state = singlepoint(stack, parameters=parameters).state
    n_pair = state.n_occupied * (state.energies.size - state.n_occupied)
    some, every = (
        singlepoint(stack, parameters=parameters, singlets=n).singlets.energies
        for n in (N_SINGLET, n_pair)
    )
    return float(np.abs(some - every[: some.size]).max()) * HARTREE_EV


def dimer_and_molecules(name: str) -> tuple[Atoms, Atoms, Atoms]:
    """A dimer of S22, or of S22x5 with the distance behind its name, and its two molecules."""
    dimer, (n, _) = create_s22_system(name), get_number_of_dimer_atoms(name)
    return dimer, dimer[:n], dimer[n:]


def contacts(parameters: Parameters) -> tuple[float, int]:
    """Mean absolute error of S22, kcal/mol, and how many of the dimers go without a warning."""
    errors, silent = [], 0
    for name in s22:
        both, *parts = (singlepoint(a, parameters=parameters) for a in dimer_and_molecules(name))
        energy = (both.energy - sum(part.energy for part in parts)) * HARTREE_EV
        errors.append(abs(energy - get_interaction_energy_s22(name)))
        silent += not both.warnings
    return float(np.mean(errors)) * KCAL_MOL, silent
