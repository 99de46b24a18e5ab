"""London dispersion: the D4(BJ) correction of the functional a parameter set was trained on.

The reference energies are those of a plain functional, B3LYP for instance, which has no dispersion.
What a calculation returns is E = E_model + E_D4 (theory section 10), with D4's published damping
parameters of that functional, three-body terms included: Caldeweyher, Ehlert, Hansen, Neugebauer,
Spicher, Bannwarth, Grimme, J. Chem. Phys. 150, 154122 (2019).

It is D4 with three differences, which make it local and size-consistent (`validation/dispersion.py`
has what they change): charges flow along bonds alone (`charge_flow.py`), and pairs and triples end
smoothly at a distance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.dispersion import (
    between_references,
    bonds,
    bonds_adjoint,
    neighbours,
    pairs,
    triple_factors,
    triples,
    triples_adjoint,
)
from mlsemi.molecule.charge_flow import ChargeFlow, Neighbourhood
from mlsemi.molecule.dispersion_images import PAIRS, TRIPLES, WIDTH, dispersion_of_cell
from mlsemi.molecule.dispersion_tables import ElementTables, damping, element_tables
from mlsemi.molecule.structure import Structure


class Dispersion(NamedTuple):
    """Energy (hartree) and its gradient (n_atom, 3; hartree / bohr), None if not asked for.

    In a cell ``strain`` (3, 3) is the derivative by a strain of atoms and cell, hartree.
    """

    energy: float
    gradient: np.ndarray | None
    strain: np.ndarray | None = None


NO_DISPERSION = Dispersion(0.0, np.zeros(3), np.zeros((3, 3)))


def dispersion_of(
    structure: Structure, functional: str | None, with_gradient: bool = False
) -> Dispersion:
    """D4(BJ) dispersion of a molecule, or of a cell with all its images.

    Parameters
    ----------
    structure : Structure
    functional : str or None
        Name of the density functional; hyphens and case do not matter. None: no dispersion.
    with_gradient : bool

    Raises
    ------
    ParameterError
        If D4 has no parameters for the functional.
    ConvergenceError
        If the charges do not converge.
    """
    if functional is None:
        return NO_DISPERSION
    s6, s8, s9, a1, a2 = damping(functional)
    tables = element_tables()
    if structure.cell is not None:
        form = np.array([s6, s8, s9, a1, a2])
        return Dispersion(*dispersion_of_cell(structure, tables, form, with_gradient))
    order, around = neighbourhood(structure, tables)
    flow = ChargeFlow(around, tables, float(structure.charge), TRIPLES - WIDTH, TRIPLES)
    kept = around.species, around.cn[0]
    scaled = tables.hardness, tables.core, tables.reference, tables.factors
    charged = between_references(*kept, flow.charges, *scaled)
    neutral = between_references(*kept, np.zeros(order.size), *scaled)

    form = np.array([s6, s8, a1, a2])
    moment = tables.moment[around.species]
    energy, gradient, a_bar = pairs(around.positions, charged[0], moment, form, PAIRS, WIDTH)

    lists = around.start, around.index
    u, h, c6, u_slope = triple_factors(
        *lists, around.squared, neutral[0], moment, form, TRIPLES, WIDTH
    )
    triple, slope = triples(*lists, around.squared, u, h)
    energy += s9 / 3.0 * triple.sum()
    if not with_gradient:
        return Dispersion(float(energy), None)

    by_pair = s9 * np.stack([slope / around.squared + triple * u_slope, 0.5 * triple / c6])
    neutral_bar = triples_adjoint(*lists, around.positions, neutral[0], by_pair, gradient)
    cn_bar = np.empty((2, order.size))
    cn_bar[0] = (neutral_bar * neutral[1]).sum(axis=1) + (a_bar * charged[1]).sum(axis=1)
    cn_bar[1] = flow.adjoint((a_bar * charged[2]).sum(axis=1), gradient)
    ends = around.index, around.first, around.at
    bonds_adjoint(*ends, around.bond, around.positions, cn_bar, gradient)
    unsorted = np.empty((order.size, 3))
    unsorted[order] = gradient.T
    return Dispersion(float(energy), unsorted)


def neighbourhood(structure: Structure, tables: ElementTables) -> tuple[np.ndarray, Neighbourhood]:
    """Atoms in the order of a sweep along x, and what is near them.

    Parameters
    ----------
    structure : Structure
    tables : ElementTables

    Returns
    -------
    order : (n_atom,) integer array
    around : Neighbourhood
    """
    order = np.argsort(structure.positions[:, 0], kind="stable")
    positions = np.ascontiguousarray(structure.positions[order].T)
    species = tables.row[structure.numbers[order]]
    lists = neighbours(positions, TRIPLES)
    known = tables.radius[species], tables.electronegativity[species]
    return order, Neighbourhood(positions, species, *lists, *bonds(*lists, *known))
