"""Where a parameter set leaves what it has learned: its own hot dynamics, one molecule at a time.

A model is right where it was trained and free to invent elsewhere, and dynamics finds what it has
invented: a bond that breaks without reason, a hydrogen that wanders. Reference calculations of just
these geometries teach it better (active learning: Smith et al., J. Chem. Phys. 148, 241733
(2018)). Of every molecule one geometry is kept, with the set's own results: the first after a bond
was broken or made, else the one farthest outside the training domain, else none.
"""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms
from ase.optimize import BFGS

from mlsemi.calculator import MLSemi
from mlsemi.errors import DomainWarning, MlsemiError, ParameterError
from mlsemi.model.terms.domain import relative_distance
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.training.data.geometries import bonds_of, embed, has_reacted, heated, seed_of
from mlsemi.training.data.surfaces import Surface
from mlsemi.training.generators.relaxations import surface_of

KELVIN = 1000.0
"""Of the thermostat."""

STEPS, BETWEEN = 300, 5
"""Steps of dynamics, and steps between two looks at the geometry."""

FORCE_MAX, RELAXATION = 0.1, 100
"""Where the relaxation before the dynamics ends: force (eV / angstrom) or steps."""


def explored_surfaces(of: tuple[str, str], seed: int, parameters: str) -> list[Surface]:
    """At most one geometry of one neutral molecule, with the results of the parameter set.

    Whatever goes wrong with one molecule concerns that molecule alone.

    Parameters
    ----------
    of : (SMILES, InChIKey)
    seed : int
    parameters : str
        Name or path of the set.

    Raises
    ------
    ParameterError
        If the set is missing or damaged, or its functional has no dispersion.
    """
    smiles, molecule = of
    known = Parameters.load(parameters)
    own = seed_of(smiles, seed)
    try:
        atoms, charge = embed(smiles, own)
        if charge:
            return []
        known.check(Structure.from_ase(atoms))
        with warnings.catch_warnings():  # leaving the domain is what it is about
            warnings.simplefilter("ignore", DomainWarning)
            frame = _strangest(atoms, bonds_of(smiles), known, own)
            return [] if frame is None else [surface_of(frame, molecule)]
    except (ParameterError, ImportError, MemoryError):
        raise
    except Exception:
        return []


def strangeness(structure: Structure, parameters: Parameters) -> float:
    """Largest distance of an atom's features from those of training, 1 where the domain ends.

    Parameters
    ----------
    structure : Structure
        Of elements that the set knows.
    parameters : Parameters
    """
    model = parameters.model
    pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
    prediction, _ = model.predict(pairs, ())
    distance = relative_distance(pairs, prediction.invariants, model.weights)
    shifts = parameters.atom_shifts(prediction)
    if parameters.committee is not None and shifts is not None:
        distance = np.maximum(distance, parameters.committee.relative_distance(pairs, shifts))
    return float(distance.max())


def _strangest(atoms: Atoms, bonds: np.ndarray, parameters: Parameters, seed: int) -> Atoms | None:
    """The geometry of a run of dynamics that is to be kept, with a calculator."""
    atoms.calc = MLSemi(parameters)
    BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=FORCE_MAX, steps=RELAXATION)
    dynamics = heated(atoms, KELVIN, seed)
    farthest, found = 1.0, None
    for _ in range(STEPS // BETWEEN):
        try:
            dynamics.run(BETWEEN)
            if has_reacted(atoms, bonds):
                return atoms
            distance = strangeness(Structure.from_ase(atoms), parameters)
        except MlsemiError:  # it went where there is no answer: what came before is telling enough
            break
        if distance > farthest:
            farthest, found = distance, atoms.copy()
    if found is not None:
        found.calc = atoms.calc
    return found
