"""Density coefficients rho_i^1 of any degree and radial basis (theory eq 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from mlsemi.representations.kernels.expansion import expand, expand_adjoint
from mlsemi.representations.neighbours import Geometry, Neighbours
from mlsemi.symmetry.tensors import Irrep, Tensors


class RadialFunctions(Protocol):
    """What an expansion asks of its radial functions."""

    @property
    def n_degree(self) -> int:
        """Degrees l < n_degree."""

    @property
    def n_radial(self) -> int:
        """Functions per degree."""

    @property
    def end(self) -> float:
        """Distance past which they vanish, bohr."""

    def __call__(self, distance: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Values (n_pair, n_degree, n_radial)."""

    def adjoint(self, distance: np.ndarray, species: np.ndarray, out_bar: np.ndarray) -> np.ndarray:
        """dL/d distance (n_pair,)."""

    def contracted(self, maps: np.ndarray) -> RadialFunctions:
        """Functions mixed per species and degree."""


@dataclass(frozen=True, eq=False)
class Expansion:
    """<a n l m | rho_i> = sum_j delta(a, a_j) R_nl(r_ij) Y_lm(r_ij).

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers that are known; each is a set of channels.
    radial : RadialTable or LongRangeTable
        With a long-range table the density is replaced by its potential.
    """

    elements: tuple[int, ...]
    radial: RadialFunctions

    def neighbours(self, structures: Sequence[Geometry]) -> Neighbours:
        """All pairs on which the radial functions do not vanish."""
        return Neighbours.of(structures, self.elements, self.radial.end, self.radial.n_degree)

    @property
    def n_channel(self) -> int:
        """Channels (a, n), n running fastest."""
        return len(self.elements) * self.radial.n_radial

    def __call__(self, neighbours: Neighbours) -> dict[Irrep, np.ndarray]:
        """Coefficients {(l, +1): (n_atom, 2l+1, n_channel)}."""
        species = neighbours.neighbour_species
        values = self.radial(neighbours.distance, species)
        flat = expand(
            neighbours.first,
            species * self.radial.n_radial,
            values,
            neighbours.sphere,
            neighbours.n_atom,
            self.n_channel,
        )
        out = {}
        for l in range(self.radial.n_degree):
            n = neighbours.n_atom * self.n_channel
            part = flat[n * l * l : n * (l + 1) ** 2]
            out[Irrep(l, 1)] = part.reshape(neighbours.n_atom, 2 * l + 1, self.n_channel)
        return out

    def adjoint(self, neighbours: Neighbours, out_bar: Tensors) -> np.ndarray:
        """dL/d positions (n_atom, 3); irreps missing from ``out_bar`` count as zero."""
        n = neighbours.n_atom * self.n_channel
        parts = [
            out_bar[Irrep(l, 1)].ravel() if Irrep(l, 1) in out_bar else np.zeros(n * (2 * l + 1))
            for l in range(self.radial.n_degree)
        ]
        species = neighbours.neighbour_species
        values = self.radial(neighbours.distance, species)
        radial_bar, sphere_bar = expand_adjoint(
            neighbours.first,
            species * self.radial.n_radial,
            values,
            neighbours.sphere,
            neighbours.n_atom,
            self.n_channel,
            np.concatenate(parts),
        )
        distance_bar = self.radial.adjoint(neighbours.distance, species, radial_bar)
        return neighbours.adjoint(distance_bar, sphere_bar)

    def optimal(self, structures: Sequence[Geometry], n_radial: int) -> Expansion:
        """The same expansion with the best ``n_radial`` contracted radial functions.

        Principal components of the coefficients of each neighbour species and degree over a
        dataset (Goscinski, Musil, Pozdnyakov, Nigam, Ceriotti, J. Chem. Phys. 155, 104106 (2021)).
        Start from orthonormal primitives, then the discarded variance is the error of the density.

        Parameters
        ----------
        structures : sequence of Structure or Points
        n_radial : int
            Functions to keep per degree.
        """
        coefficients = self(self.neighbours(structures))
        n_species, n_primitive = len(self.elements), self.radial.n_radial
        maps = np.zeros((n_species, self.radial.n_degree, n_primitive, n_radial))
        for (l, _), value in coefficients.items():
            by_species = value.reshape(-1, n_species, n_primitive)
            for a in range(n_species):
                x = by_species[:, a]
                maps[a, l] = np.linalg.eigh(x.T @ x)[1][:, ::-1][:, :n_radial]
        return replace(self, radial=self.radial.contracted(maps))
