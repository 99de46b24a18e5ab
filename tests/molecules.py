"""Structures without symmetry, structures with exact symmetry, and models of random weights."""

from dataclasses import replace
from itertools import product

import numpy as np
from ase.build import molecule
from scipy.spatial.distance import cdist

from mlsemi.ground.state import ground_state
from mlsemi.model.catalogue import shapes_of, weights_of
from mlsemi.model.model import Model
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters, checksum_of

SMALL = ModelForm((1, 6, 7, 8), cutoff=6.5, n_radial=4, n_channel=3, n_node=2, n_hidden=4)
"""Fast, and short enough a cutoff that the molecules below have pairs on both sides of it."""

FORMS = {
    "nonlinear": SMALL,
    "nu3": replace(SMALL, nu=3),
    "local": replace(SMALL, message_passing=False, long_range=False),
    "bonded": replace(SMALL, bonded=True, quadrupoles=True, contact_exponents=(0.9, 0.7)),
    "band": replace(SMALL, energy="band"),
    "band+readout": replace(SMALL, energy="band+readout"),
    "linear": replace(SMALL, kind="linear", n_channel=2),
    "kernel": replace(SMALL, kind="kernel", n_channel=2, n_sparse=2),
}
"""Every kind of model and every switch."""

LOW_SYMMETRY = ("HCOOH", "CH3NO2", "CH3CONH2")
LEVELS = {1: (-0.5, 0.0), 6: (-0.7, -0.3), 7: (-0.9, -0.4), 8: (-1.1, -0.5)}


def distorted(name, seed=1, amplitude=0.12):
    """The molecule of ``ase.build``, every atom displaced (angstrom), turned and shifted."""
    atoms = molecule(name)
    atoms.rattle(amplitude, seed=seed)
    atoms.rotate(37.0, (0.2, -0.5, 1.0))
    atoms.translate((0.3, -0.2, 0.5))
    return Structure.from_ase(atoms)


def moved(structure, positions):
    """The same atoms elsewhere."""
    return Structure(structure.numbers, positions, structure.charge)


def random_model(form=SMALL, seed=0):
    """All weights random, none zero, scaled by fan-in so that elements of H are of order one.

    Every array has a stream of its own: a new weight leaves the others as they were.
    """
    weights = {}
    for name, shape in shapes_of(form).items():
        rng = np.random.default_rng([seed, *name.encode()])
        size = rng.uniform(0.3, 1.2, shape) / np.sqrt(shape[-2] if len(shape) > 1 else 1.0)
        weights[name] = size * rng.choice([-1.0, 1.0], shape)
    weights["level"] = weights["level"] * 0.05 + np.array([LEVELS[z] for z in form.elements])
    return Model(form, weights)


def baseline_only(model):
    """The same model with every learned correction switched off: levels and two-center part."""
    corrections = ("onsite", "charge", "bond.out")
    off = {n: np.zeros_like(model.weights[n]) for n in corrections if n in model.weights}
    return Model(model.form, dict(model.weights) | off)


def gapped_model(structures, gap=0.1):
    """The first random model in which all these structures have a gap (hartree)."""
    for seed in range(1000):
        model = random_model(seed=seed)
        pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
        prediction, _ = model.predict(pairs)
        states = [ground_state(model, prediction, n).state for n in range(len(structures))]
        if min(state.lumo - state.homo for state in states) > gap:
            return model
    raise AssertionError("no such model")


def learned(model):
    """Names of the weights that a loss can move."""
    return [name for name in model.weights if weights_of(model.form)[name].trained]


B3LYP = {"reference": {"level": {"method": "b3lyp", "basis": "def2-tzvp"}}}


def parameters_of(model, name="random", header=B3LYP):
    """Parameter set of a model, as it would be released."""
    return Parameters(name, dict(header), model, checksum_of(model.weights))


def _frames(x, a, b):
    """Right- and left-handed orthonormal frames (columns) spanned by atoms a and b."""
    first = x[a] / np.linalg.norm(x[a])
    second = x[b] - first * (first @ x[b])
    second /= np.linalg.norm(second)
    third = np.cross(first, second)
    return [np.stack([first, second, sign * third], axis=1) for sign in (1, -1)]


def point_group(numbers, x, tolerance=0.05):
    """Permutations (n_operation, n_atom) of atoms by the point group about the origin."""
    far = np.flatnonzero(np.linalg.norm(x, axis=1) > 0.5)
    a = far[0]
    b = next(j for j in far if np.linalg.norm(np.cross(x[a], x[j])) > 0.5)
    reference = _frames(x, a, b)[0]
    other = np.where(numbers[:, None] == numbers[None, :], 0.0, np.inf)
    found = set()
    for i, j in product(far, far):
        lengths = [abs(np.linalg.norm(x[p]) - np.linalg.norm(x[q])) for p, q in ((a, i), (b, j))]
        same = abs(np.linalg.norm(x[a] - x[b]) - np.linalg.norm(x[i] - x[j])) < tolerance
        if i == j or max(lengths) > tolerance or not same:
            continue
        for frame in _frames(x, i, j):
            distance = cdist(x @ (frame @ reference.T).T, x) + other
            image = distance.argmin(axis=1)
            if distance.min(axis=1).max() < tolerance:
                found.add(tuple(image.tolist()))
    return np.array(sorted(found))


def symmetric(name):
    """The molecule of ``ase.build`` with its point group exact to machine precision.

    The files behind ``ase.build`` carry six digits; averaging over all operations, each the best
    orthogonal map of its permutation, converges in a few rounds.
    """
    atoms = molecule(name)
    x = Structure.from_ase(atoms).positions
    x = x - np.average(x, axis=0)
    images = point_group(atoms.numbers, x)
    for _ in range(12):
        mean = np.zeros_like(x)
        for image in images:
            u, _, vt = np.linalg.svd(x.T @ x[image])
            mean += x[image] @ (u @ vt).T
        x = mean / len(images)
    return Structure(atoms.numbers, x), len(images)
