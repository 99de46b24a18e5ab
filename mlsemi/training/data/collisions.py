"""Geometries of molecules that collide: warm, and nearer to each other than they like.

Dynamics goes where minima and stretched complexes tell nothing: two hydrogens of different
molecules pressed together, a hydrogen on its way to an acceptor with its own bond longer. A model
that was not told how steep the wall is there lets molecules melt into each other.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from mlsemi.errors import InputError
from mlsemi.model.terms.intermolecular.contacts import closest_distances
from mlsemi.training.data.contacts import (
    LONE_PAIRS,
    SHIFTS,
    Molecules,
    distances_along,
    last_below,
    placed_at,
    relaxed_alone,
    ways_of,
)
from mlsemi.training.data.geometries import bond_graph, thermal_frame
from mlsemi.units import BOHR_ANGSTROM

NEAREST, FARTHEST = 0.85, 1.4
"""Closest distance, in units of the one where the model's own wall begins."""

TEMPERATURES = (300.0, 600.0, 1000.0)
LONGEST = 1.3
"""Largest factor of the bond of a hydrogen that is about to leave."""


def collision_frames(
    start: Atoms, smiles: str, number: int, rng: np.random.Generator
) -> list[tuple[Atoms, str]]:
    """Geometries of two molecules, either as it is at a temperature, pressed together.

    In every second one a hydrogen on an atom with lone pairs is moved outward, up to LONGEST.

    Parameters
    ----------
    start : ase.Atoms
        The complex as :func:`geometries.embed` makes it.
    smiles : str
    number : int
    rng : numpy Generator
        Draws temperatures, the way of approach, the distance.

    Returns
    -------
    ase.Atoms without a calculator, each with what was done; none for a single molecule.

    Raises
    ------
    InputError
        If there are more than two molecules, or one does not survive its relaxation.
    """
    molecules = Molecules.of_smiles(smiles)
    if len(molecules) < 2 or not number:
        return []
    if len(molecules) > 2:
        raise InputError("collisions are of two molecules")
    alone = [relaxed_alone(start, smiles, molecules, k) for k in range(2)]
    out = []
    for index in range(number):
        temperature = float(rng.choice(TEMPERATURES))
        first, second = (
            thermal_frame(one, charge, temperature, int(rng.integers(2**31)))
            for one, charge in zip(alone, molecules.charges, strict=True)
        )
        if index % 2:
            _loosen(first, rng)
            _loosen(second, rng)
        ways = ways_of(first, second, rng)
        name = str(rng.choice(list(ways)))
        factor = float(rng.uniform(NEAREST, FARTHEST))
        pair = ways[name]()
        walls = BOHR_ANGSTROM * closest_distances(first.numbers, second.numbers)
        nearest = (distances_along(pair) / walls).min(axis=(1, 2))
        frame = placed_at(start, molecules, pair, last_below(nearest, factor, SHIFTS))
        out.append((frame, f"{temperature:.0f} K, {name}, {factor:.3f} of the wall"))
    return out


def _loosen(atoms: Atoms, rng: np.random.Generator) -> None:
    """One hydrogen on an atom with lone pairs moved along its bond, in place."""
    graph = bond_graph(atoms)
    bonds = [
        (int(h), int(partner))
        for h in np.flatnonzero(atoms.numbers == 1)
        for partner in np.flatnonzero(graph[h])
        if atoms.numbers[partner] in LONE_PAIRS
    ]
    if bonds:
        h, partner = bonds[rng.integers(len(bonds))]
        bond = atoms.positions[h] - atoms.positions[partner]
        atoms.positions[h] += float(rng.uniform(0.0, LONGEST - 1.0)) * bond
