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
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from ase.optimize import BFGS

from mlsemi.calculator import MLSemi
from mlsemi.committee import distances
from mlsemi.domain import feature_distance
from mlsemi.errors import DomainWarning, MlsemiError
from mlsemi.pairs import PairList
from mlsemi.parameters import Parameters
from mlsemi.structure import Structure
from mlsemi.training.auxiliary import Surface
from mlsemi.training.geometries import bonds_of, embed, has_reacted, seed_of
from mlsemi.training.relaxations import surface_of

KELVIN = 1000.0
"""Of the thermostat; friction 0.02 / fs, steps of 1 fs."""

STEPS, BETWEEN = 300, 5
"""Steps of dynamics, and steps between two looks at the geometry."""

FORCE_MAX, RELAXATION = 0.1, 100
"""Where the relaxation before the dynamics ends: force (eV / angstrom) or steps."""


def explored_surfaces(of: tuple[str, str], seed: int, parameters: str) -> list[Surface]:
    """At most one geometry of one neutral molecule, with the results of the parameter set.

    Parameters
    ----------
    of : (SMILES, InChIKey)
    seed : int
    parameters : str
        Name or path of the set.
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
    except (MlsemiError, RuntimeError):
        return []


def strangeness(structure: Structure, parameters: Parameters) -> float:
    """Largest distance of an atom from what was trained on, 1 where the training domain ends."""
    model = parameters.model
    pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
    features = model.predict_energies(pairs)[1].features
    of_features = feature_distance(pairs.species, features.invariants, model.weights)
    ratio = of_features / model.weights["domain.limit"][pairs.species]
    shifts = parameters.atom_shifts(pairs, features)
    if parameters.committee is not None and shifts is not None:
        ratio = np.maximum(ratio, distances(shifts) / parameters.committee.limit[pairs.species])
    return float(ratio.max())


def _strangest(atoms: Atoms, bonds: np.ndarray, parameters: Parameters, seed: int) -> Atoms | None:
    """The geometry of a run of dynamics that is to be kept, with a calculator."""
    atoms.calc = MLSemi(parameters)
    BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=FORCE_MAX, steps=RELAXATION)
    rng = np.random.default_rng(seed)
    MaxwellBoltzmannDistribution(atoms, temperature_K=KELVIN, rng=rng)
    Stationary(atoms)
    dynamics = Langevin(
        atoms, units.fs, temperature_K=KELVIN, friction=0.02 / units.fs, fixcm=False, rng=rng
    )
    farthest, found = 1.0, None
    for _ in range(STEPS // BETWEEN):
        dynamics.run(BETWEEN)
        if has_reacted(atoms, bonds):
            return atoms
        distance = strangeness(Structure.from_ase(atoms), parameters)
        if distance > farthest:
            farthest, found = distance, atoms.copy()
    if found is not None:
        found.calc = atoms.calc
    return found
