"""Pairs of different environments that correlations of low order cannot tell apart.

The central atom is atom 0. Every family is drawn at random, so a claim about a representation can
be tested on as many members as one likes.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.distance import pdist

from mlsemi.representations.neighbours import Points
from mlsemi.units import BOHR_ANGSTROM

CARBON_HYDROGEN = 1.1 / BOHR_ANGSTROM
SHORTEST_HYDROGEN = 0.8 / BOHR_ANGSTROM
SHORTEST_BORON = 1.4 / BOHR_ANGSTROM

Pair = tuple[Points, Points]


def _sphere(directions: np.ndarray) -> Points:
    """CH4-like environment: hydrogen at the bond length in the given directions."""
    x = np.concatenate([np.zeros((1, 3)), CARBON_HYDROGEN * directions])
    return Points(np.array([6, 1, 1, 1, 1]), x)


def _directions(rng: np.random.Generator) -> np.ndarray:
    """Four unit vectors, no two of them too close."""
    while True:
        u = rng.normal(size=(4, 3))
        u /= np.linalg.norm(u, axis=1)[:, None]
        if pdist(CARBON_HYDROGEN * u).min() > SHORTEST_HYDROGEN:
            return u


def same_radii(seed: int) -> Pair:
    """CH4 twice, all bonds of one length, different angles: the same for nu = 1."""
    rng = np.random.default_rng(seed)
    return _sphere(_directions(rng)), _sphere(_directions(rng))


def same_distances(seed: int) -> Pair:
    """CH4 twice with one list of all interatomic distances: the same for nu = 1 and 2.

    The angles 1-3 and 2-3 of the six between the four bonds change places. That is no renumbering
    of the hydrogens, and it is a geometry again when the determinant of the cosines vanishes: the
    last bond is turned until it does (a family as in Pozdnyakov et al., Phys. Rev. Lett. 125,
    166001 (2020)).
    """
    rng = np.random.default_rng(seed)
    while True:
        start, axis = _directions(rng), rng.normal(size=3)
        angle = _root(start, axis)
        if angle is None:
            continue
        u = _turned(start, axis, angle)
        values, vectors = np.linalg.eigh(_exchanged(u))
        if values[1] < 0.05:
            continue
        pair = _sphere(u), _sphere(vectors[:, 1:] * np.sqrt(values[1:]))
        apart = np.abs((u @ u.T)[1, 3] - (u @ u.T)[2, 3])
        if apart > 0.1 and all(pdist(p.positions[1:]).min() > SHORTEST_HYDROGEN for p in pair):
            return pair


def _turned(u: np.ndarray, axis: np.ndarray, angle: float) -> np.ndarray:
    """The last of four vectors turned about an axis (Rodrigues)."""
    k = axis / np.linalg.norm(axis)
    v = u[3]
    c, s = np.cos(angle), np.sin(angle)
    return np.concatenate([u[:3], [c * v + s * np.cross(k, v) + (1.0 - c) * (k @ v) * k]])


def _exchanged(u: np.ndarray) -> np.ndarray:
    """Cosines between four unit vectors, those of 1-3 and 2-3 exchanged."""
    g = u @ u.T
    g[1, 3], g[2, 3] = g[2, 3], g[1, 3]
    g[3, 1], g[3, 2] = g[1, 3], g[2, 3]
    return g


def _root(start: np.ndarray, axis: np.ndarray) -> float | None:
    """Angle at which the exchanged cosines are those of vectors in three dimensions."""

    def determinant(angle: float) -> float:
        return float(np.linalg.det(_exchanged(_turned(start, axis, angle))))

    angles = np.linspace(0.0, 2.0 * np.pi, 25)
    values = [determinant(t) for t in angles]
    for a, b, left, right in zip(angles, angles[1:], values, values[1:], strict=False):
        if left * right < 0.0:
            return float(brentq(determinant, a, b, xtol=1e-15, rtol=1e-14))
    return None


def same_triples(seed: int) -> Pair:
    """B8 twice with one list of all tetrahedra of the center and three atoms: the same for nu <= 3.

    Three atoms on a ring above the center, the same three turned by an angle on a ring below, and
    one atom on the axis, above or below (Nigam, Pozdnyakov, Huguenin-Dumittan, Ceriotti, APL Mach.
    Learn. 2, 016110 (2024)).
    """
    rng = np.random.default_rng(seed)
    while True:
        radius, height, cap = rng.uniform((1.4, 0.5, 1.5), (1.8, 1.0, 2.1)) / BOHR_ANGSTROM
        ring, turn = rng.uniform(0.0, 2.0 * np.pi, 3), rng.uniform(0.0, 2.0 * np.pi)
        pair = tuple(_boron(radius, height, sign * cap, ring, turn) for sign in (1.0, -1.0))
        if min(pdist(p.positions).min() for p in pair) > SHORTEST_BORON:
            return pair[0], pair[1]


def _boron(radius: float, height: float, cap: float, ring: np.ndarray, turn: float) -> Points:
    angle = np.concatenate([ring, ring + turn])
    z = np.repeat([height, -height], 3)
    rings = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)
    x = np.concatenate([np.zeros((1, 3)), rings, [[0.0, 0.0, cap]]])
    return Points(np.full(8, 5), x)
