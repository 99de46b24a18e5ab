"""What several parameter sets say together, as surfaces for another to learn from.

Sets that were trained from different starts err in part independently, most of all where the data
say little, so the mean of their results is better than any of them. The mean can be had for any
geometry and costs no reference calculation: a set that learns it on many geometries keeps part of
the gain (knowledge distillation: Hinton, Vinyals and Dean, arXiv:1503.02531). How it learns is in
:mod:`mlsemi.training.objective.surface_loss`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from mlsemi.errors import DomainWarning, MlsemiError
from mlsemi.evaluate import molecular
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.training.data.geometries import seed_of
from mlsemi.training.data.surfaces import Surface
from mlsemi.units import BOHR_ANGSTROM

GEOMETRIES = 2
"""Drawn of every molecule."""

LARGEST_MOVE = 0.055 / BOHR_ANGSTROM
"""The standard deviation of the displacements is drawn up to here, bohr."""

QUARREL = 0.02
"""Part of the geometries, those of the largest disagreement, that is left out: none is right."""


def mean_of_sets(
    structure: Structure, molecule: str, teachers: Sequence[Parameters]
) -> tuple[Surface, float] | None:
    """Mean results of several sets, and how far their forces differ; none without an answer.

    Parameters
    ----------
    structure : Structure
    molecule : str
        InChIKey.
    teachers : sequence of Parameters
        Two at least.

    Returns
    -------
    surface, mean standard deviation of a force component (hartree / bohr)
    """
    try:
        with warnings.catch_warnings():  # many geometries are outside the domain of either
            warnings.simplefilter("ignore", DomainWarning)
            results = [
                molecular(structure, parameters=one, forces=True, dispersion=False)
                for one in teachers
            ]
    except MlsemiError:
        return None
    forces = np.array([result.forces for result in results])
    surface = Surface(
        structure,
        float(np.mean([result.energy for result in results])),
        forces.mean(axis=0),
        np.mean([result.charges for result in results], axis=0),
        np.mean([result.dipole for result in results], axis=0),
        molecule,
    )
    return surface, float(forces.std(axis=0).mean())


def moved(known: Sequence[Surface], seed: int) -> list[Structure]:
    """Some geometries of one molecule, drawn with replacement, every atom moved at random."""
    rng = np.random.default_rng(seed_of(known[0].molecule, seed))
    out = []
    for which in rng.integers(len(known), size=GEOMETRIES):
        structure = known[which].structure
        spread = rng.uniform(0.0, LARGEST_MOVE)
        moves = rng.normal(scale=spread, size=structure.positions.shape)
        out.append(Structure(structure.numbers, structure.positions + moves, structure.charge))
    return out


def taught_of_molecule(
    known: Sequence[Surface], seed: int, teachers: Sequence[str]
) -> list[tuple[Surface, float]]:
    """Surfaces of one molecule by the mean of the sets, with their disagreement.

    Parameters
    ----------
    known : sequence of Surface
        Geometries of the molecule.
    seed : int
    teachers : sequence of str
        Names or paths of the sets.
    """
    sets = [Parameters.load(name) for name in teachers]
    found = (mean_of_sets(one, known[0].molecule, sets) for one in moved(known, seed))
    return [one for one in found if one is not None]


def agreed(found: Sequence[tuple[Surface, float]]) -> list[Surface]:
    """All but the ``QUARREL`` about which the sets disagree most."""
    limit = np.quantile([distance for _, distance in found], 1.0 - QUARREL)
    return [surface for surface, distance in found if distance <= limit]
