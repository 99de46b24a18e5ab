"""Complete triplet descriptors: a nonlinear function of the features of every triple, summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlsemi.molecule.structure import read_only
from mlsemi.representations.centers import Bonds
from mlsemi.representations.correlations import AtomFeatures
from mlsemi.representations.kernels.triplets import sum_even_gaussians, sum_even_gaussians_adjoint
from mlsemi.representations.neighbours import Geometry, Neighbours
from mlsemi.representations.radial_tables import envelope_only
from mlsemi.representations.triples import TripleFeatures, Triples
from mlsemi.symmetry.radial import RadialBasis
from mlsemi.symmetry.tensors import SCALAR, Irrep, Tensors, gathered

PSEUDO = Irrep(0, -1)
BATCH = 512
"""Triples whose distances to all landmarks are held at a time."""
NOISE = 1e-8
"""Scalars of less than this fraction of the largest variance are not scaled up further."""


class Scalars(NamedTuple):
    """Scalars of every ordered triple.

    Attributes
    ----------
    neighbours : Neighbours
    triples : Triples
    proper, pseudo : (n_triple, n) arrays
        Those that keep and that change their sign under inversion.
    """

    neighbours: Neighbours
    triples: Triples
    proper: np.ndarray
    pseudo: np.ndarray

    @property
    def center(self) -> np.ndarray:
        """(n_triple,) atom i."""
        return self.neighbours.first[self.triples.left]


@dataclass(frozen=True, eq=False)
class TripleScalars:
    """Scalars of rho_ijk^0, the bare triangle, and of rho_ijk^1, the density seen from it.

    Together they tell the positions of all neighbours of i in the frame of the three atoms, up to
    an inversion of everything.

    Attributes
    ----------
    triangle : TripleFeatures
        Lengths and angle, with several radial functions.
    decorated : TripleFeatures
        Density of i on bonds that carry the cutoff function only, lengths being known already.
    """

    triangle: TripleFeatures
    decorated: TripleFeatures

    @classmethod
    def fit(
        cls,
        structures: Sequence[Geometry],
        bonds: Bonds,
        atoms: AtomFeatures,
        n_triangle: int,
        n_decorated: int,
        centers: np.ndarray | None = None,
    ) -> TripleScalars:
        """Contractions from the triples of a dataset.

        Parameters
        ----------
        structures : sequence of Structure or Points
        bonds : Bonds
            Of the triangle; its cutoff and degrees hold for both parts.
        atoms : AtomFeatures
            Of order 1.
        n_triangle, n_decorated : int
            Scalars to keep of each parity and part.
        centers : (n_center,) int array, optional
            Atoms i; all without it.
        """
        flat = envelope_only(bonds.radial.end, bonds.radial.n_degree)
        plain = Bonds(bonds.elements, flat, bonds.by_species)
        both = (SCALAR, PSEUDO)
        triangle = TripleFeatures.fit(
            structures, bonds, None, (SCALAR,), n_triangle, 0, centers=centers
        )
        decorated = TripleFeatures.fit(
            structures, plain, atoms, both, n_decorated, 10**6, centers=centers
        )
        return cls(triangle, decorated)

    def __call__(
        self, structures: Sequence[Geometry], centers: np.ndarray | None = None
    ) -> Scalars:
        """Scalars of all triples, or of those around ``centers``."""
        neighbours, triples, one = self.decorated(structures, centers)
        bare = self.triangle(structures, centers).tensors[SCALAR][:, 0]
        proper = np.concatenate([bare, one[SCALAR][:, 0]], axis=1)
        return Scalars(neighbours, triples, proper, _pseudo(one, proper.shape[0]))

    def adjoint(
        self,
        structures: Sequence[Geometry],
        proper_bar: np.ndarray,
        pseudo_bar: np.ndarray,
        centers: np.ndarray | None = None,
    ) -> np.ndarray:
        """dL/d positions (n_atom, 3)."""
        irreps = self.triangle.outer.maps
        n = irreps[SCALAR].shape[1] if irreps is not None else 0
        bare: Tensors = {SCALAR: proper_bar[:, None, :n]}
        one: Tensors = {SCALAR: proper_bar[:, None, n:]}
        if pseudo_bar.shape[1]:
            one = {**one, PSEUDO: pseudo_bar[:, None]}
        return self.triangle.adjoint(structures, bare, centers) + self.decorated.adjoint(
            structures, one, centers
        )

    def summed(
        self, structures: Sequence[Geometry], centers: np.ndarray | None = None
    ) -> np.ndarray:
        """Linear triplets (n_atom, n): the scalars summed over triples.

        A correlation of order at most three in other coordinates, and as blind as rho_i^3.
        """
        scalars = self(structures, centers)
        both = np.concatenate([scalars.proper, scalars.pseudo], axis=1)
        sums = gathered({SCALAR: both[:, None]}, scalars.center, scalars.neighbours.n_atom)
        return sums[SCALAR][:, 0]


def _pseudo(tensors: Tensors, n_triple: int) -> np.ndarray:
    """Pseudo-scalars; none where the density has no degree but 0."""
    return tensors[PSEUDO][:, 0] if PSEUDO in tensors else np.zeros((n_triple, 0))


@dataclass(frozen=True, eq=False)
class TripletDescriptors:
    """phi_m(i) = sum_jk f(r_ij) f(r_ik) G_m(scalars of i, j, k): complete for an environment.

    A sum of *nonlinear* functions over the triples separates whatever differs, since every triple
    sees the whole environment; a sum of linear ones does not (Nigam, Pozdnyakov, Huguenin-Dumittan,
    Ceriotti, APL Mach. Learn. 2, 016110 (2024)). G_m is a Gaussian at landmark m, made even in the
    pseudo-scalars p, so that an inversion goes unnoticed:

    G_m = (exp(-(|s - a_m|^2 + |p - b_m|^2) / 2) + exp(-(|s - a_m|^2 + |p + b_m|^2) / 2)) / 2

    Attributes
    ----------
    scalars : TripleScalars
    proper_scale, pseudo_scale : (n,) arrays
        Inverse width of the Gaussians for every scalar; s and p above are scaled.
    proper, pseudo : (n_landmark, n) arrays
        Landmarks a_m and b_m.
    """

    scalars: TripleScalars
    proper_scale: np.ndarray
    pseudo_scale: np.ndarray
    proper: np.ndarray
    pseudo: np.ndarray

    @classmethod
    def fit(
        cls,
        structures: Sequence[Geometry],
        scalars: TripleScalars,
        n_landmark: int,
        width: float,
        seed: int = 0,
        centers: np.ndarray | None = None,
    ) -> TripletDescriptors:
        """Landmarks: triples drawn at random from a dataset.

        Every scalar is divided by the square root of its spread, halfway to equal spreads: fine
        details count for more than their size, and noise is not blown up. Pseudo-scalars that are
        zero in all triples of the fit count as noise does.

        Parameters
        ----------
        structures : sequence of Structure or Points
        scalars : TripleScalars
        n_landmark : int
        width : float
            Of the Gaussians, in units of the root mean square distance from the mean.
        seed : int
        centers : (n_center,) int array, optional
            Atoms i; all without it.
        """
        found = scalars(structures, centers)
        spread = found.proper.var(axis=0), (found.pseudo**2).mean(axis=0)
        total = width * np.sqrt(sum(np.sqrt(v).sum() for v in spread))
        largest = spread[0].max()
        proper_scale, pseudo_scale = (
            1.0 / (total * np.maximum(v, NOISE * (v.max(initial=0.0) or largest)) ** 0.25)
            for v in spread
        )
        drawn = np.random.default_rng(seed).permutation(found.proper.shape[0])[:n_landmark]
        return cls(
            scalars,
            read_only(proper_scale),
            read_only(pseudo_scale),
            read_only(proper_scale * found.proper[drawn]),
            read_only(pseudo_scale * found.pseudo[drawn]),
        )

    def _weights(self, scalars: Scalars) -> tuple[np.ndarray, np.ndarray]:
        """f(r) of every pair and f(r_ij) f(r_ik) of every triple."""
        f = self._envelope(scalars.neighbours.distance)[1]
        return f, f[scalars.triples.left] * f[scalars.triples.right]

    @property
    def _envelope(self) -> RadialBasis:
        return RadialBasis(2, self.scalars.decorated.bonds.radial.end)

    def _distances(self, s: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """|s - a|^2 + |p|^2 + |b|^2 and 2 p.b between triples and landmarks."""
        own = (s**2).sum(axis=1) + (p**2).sum(axis=1)
        other = (self.proper**2).sum(axis=1) + (self.pseudo**2).sum(axis=1)
        return own[:, None] + other - 2.0 * s @ self.proper.T, 2.0 * p @ self.pseudo.T

    def __call__(
        self, structures: Sequence[Geometry], centers: np.ndarray | None = None
    ) -> np.ndarray:
        """Descriptors (n_atom, n_landmark); zero for atoms that are no center."""
        found = self.scalars(structures, centers)
        _, weight = self._weights(found)
        out = np.zeros((found.neighbours.n_atom, self.proper.shape[0]))
        for start in range(0, weight.size, BATCH):
            rows = slice(start, start + BATCH)
            even, odd = self._distances(
                self.proper_scale * found.proper[rows], self.pseudo_scale * found.pseudo[rows]
            )
            sum_even_gaussians(found.center[rows], weight[rows], even, odd, out)
        return out

    def adjoint(
        self,
        structures: Sequence[Geometry],
        out_bar: np.ndarray,
        centers: np.ndarray | None = None,
    ) -> np.ndarray:
        """dL/d positions (n_atom, 3)."""
        found = self.scalars(structures, centers)
        f, weight = self._weights(found)
        proper_bar, pseudo_bar = np.empty_like(found.proper), np.empty_like(found.pseudo)
        weight_bar = np.empty_like(weight)
        for start in range(0, weight.size, BATCH):
            rows = slice(start, start + BATCH)
            s = self.proper_scale * found.proper[rows]
            p = self.pseudo_scale * found.pseudo[rows]
            even, odd = self._distances(s, p)
            weight_bar[rows], even_bar, odd_bar = sum_even_gaussians_adjoint(
                found.center[rows], weight[rows], even, odd, out_bar
            )
            total = 2.0 * even_bar.sum(axis=1)[:, None]
            proper_bar[rows] = self.proper_scale * (total * s - 2.0 * even_bar @ self.proper)
            pseudo_bar[rows] = self.pseudo_scale * (total * p + 2.0 * odd_bar @ self.pseudo)
        return self.scalars.adjoint(structures, proper_bar, pseudo_bar, centers) + (
            self._weights_adjoint(found, f, weight_bar)
        )

    def _weights_adjoint(
        self, scalars: Scalars, f: np.ndarray, weight_bar: np.ndarray
    ) -> np.ndarray:
        """Adjoint of the product of cutoff functions: dL/d positions."""
        neighbours, triples = scalars.neighbours, scalars.triples
        f_bar = np.bincount(triples.left, weight_bar * f[triples.right], f.size)
        f_bar += np.bincount(triples.right, weight_bar * f[triples.left], f.size)
        nothing = np.zeros((f.size, 2))
        distance_bar = self._envelope.adjoint(neighbours.distance, nothing, f_bar)
        return neighbours.adjoint(distance_bar, np.zeros_like(neighbours.sphere))
