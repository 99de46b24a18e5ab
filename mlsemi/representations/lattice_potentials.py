"""Potentials of what repeats: the density of all images around an atom, by Ewald's way.

The smeared power of eq R17 is an integral over Gaussians up to t_w = 1 / (2^1/2 w),

    v_p(r) = 2 / Gamma(p/2)  int_0^t_w t^(p-1) exp(-r^2 t^2) dt                                (R18)

so the same power smeared by more, w' > w, is the part that lies far in space and near in reciprocal
space. Of a crystal with a cell of volume Omega

    V_i;anlm = sum_j,R [R_nl(w) - R_nl(w')](r_ij+R) Y_lm + 1/Omega sum_G v(G) B_nl(G) Y_lm(G)
               4 pi sum_j i^l exp(i G.(x_i - x_j)) - [R_nl(w')(0) Y_lm]_j=i                    (R19)
    v(G) = pi^3/2 / Gamma(p/2) (G/2)^(p-3) Gamma((3-p)/2, G^2 w'^2 / 2)
    B_nl(G) = int_0^rc R_nl(x) j_l(G x) x^2 dx

with the upper incomplete Gamma function. Up to p = 3 the sum over images has no limit of its own:
the potential of each species averages to zero over the crystal, as charges that sum to zero in
conducting surroundings have it (Grisafi, Ceriotti, J. Chem. Phys. 151, 204105 (2019)).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import exp1, gamma, gammaincc, spherical_jn

from mlsemi.errors import InputError
from mlsemi.lattice.cell import Cell
from mlsemi.molecule.structure import read_only
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.kernels.harmonics import spherical
from mlsemi.representations.long_range_tables import (
    N_SHELL,
    LongRangeTable,
    monomials,
    smeared_difference,
    smeared_power,
)
from mlsemi.representations.neighbours import Geometry, cell_of, harmonic_norms
from mlsemi.representations.radial_tables import quadrature
from mlsemi.symmetry.so3 import components
from mlsemi.symmetry.tensors import Irrep, Tensors

SPLIT = 0.4
"""w' over the radius of the sphere: images and waves of cells of about its size are as many."""

RANGE = 8.5
"""exp(-RANGE^2 / 2) = 2e-16: left out are waves beyond RANGE / w', images beyond RANGE w'."""


def upper_gamma(a: float, x: np.ndarray) -> np.ndarray:
    """Upper incomplete Gamma function of any whole or half order a, also below zero.

    Parameters
    ----------
    a : float
    x : (...) array
        Above zero.
    """
    if a > 0.0:
        return np.asarray(gamma(a) * gammaincc(a, x))
    if a == 0.0:
        return np.asarray(exp1(x))
    return np.asarray((upper_gamma(a + 1.0, x) - x**a * np.exp(-x)) / a)


@dataclass(frozen=True, eq=False)
class Waves:
    """What reciprocal space gives to a potential: the second and third part of equation R19.

    Attributes
    ----------
    power : int
        p.
    width, wide : float
        w and w', bohr.
    nodes : (n_node,) array
        Distances x in the sphere.
    basis : (n_node, n_degree, n_radial) array
        R_nl(x) x^2 and the weight of the node.
    """

    power: int
    width: float
    wide: float
    nodes: np.ndarray
    basis: np.ndarray

    @property
    def n_degree(self) -> int:
        """Degrees l < n_degree."""
        return self.basis.shape[1]

    @property
    def _own(self) -> np.ndarray:
        """(n_radial,) potential of an atom at its own place, degree 0."""
        field = smeared_power(self.nodes, self.power, self.wide)
        return np.sqrt(4.0 * np.pi) * field @ self.basis[:, 0]

    @property
    def _mean(self) -> float:
        """Integral over space of what the sum over images leaves of the mean potential."""
        edges = 1.0 / (np.sqrt(2.0) * np.array([self.wide, self.width]))
        powers = np.log(edges) if self.power == 3 else edges ** (self.power - 3) / (self.power - 3)
        size = 2.0 * np.pi**1.5 / gamma(0.5 * self.power)
        return float(size * (powers[0] if self.power > 3 else powers[0] - powers[1]))

    def _tables(self, cell: Cell) -> tuple[np.ndarray, list[np.ndarray]]:
        """Waves G (n, 3), one of G and -G, and per degree (n, (2l+1) n_radial) weights."""
        waves = cell.waves(RANGE / self.wide)
        size = np.linalg.norm(waves, axis=1)
        strength = np.pi**1.5 / gamma(0.5 * self.power) * (0.5 * size) ** (self.power - 3)
        strength = strength * upper_gamma(0.5 * (3 - self.power), 0.5 * (size * self.wide) ** 2)
        sphere = spherical(waves / size[:, None], harmonic_norms(self.n_degree))
        out = []
        for l in range(self.n_degree):
            radial = spherical_jn(l, size[:, None] * self.nodes) @ self.basis[:, l]
            # i^l = (-1)^(l/2) or i (-1)^((l-1)/2): the real part of i sin is what odd l keep
            sign = (-1.0) ** ((l + 1) // 2)
            factor = 8.0 * np.pi * sign / cell.measure * strength
            both = sphere[:, components(l), None] * (factor[:, None] * radial)[:, None]
            out.append(both.reshape(len(waves), (2 * l + 1) * self.basis.shape[2]))
        return waves, out

    def __call__(
        self, positions: np.ndarray, species: np.ndarray, n_species: int, cell: Cell
    ) -> dict[Irrep, np.ndarray]:
        """Coefficients {(l, +1): (n_atom, 2l+1, n_channel)} of one crystal.

        Parameters
        ----------
        positions : (n_atom, 3) array
        species : (n_atom,) int array
        n_species : int
        cell : Cell
        """
        waves, tables = self._tables(cell)
        n_atom, n_radial = len(positions), self.basis.shape[2]
        cosine, sine = np.cos(positions @ waves.T), np.sin(positions @ waves.T)
        member = np.equal.outer(np.arange(n_species), species).astype(float)
        c, s = member @ cosine, member @ sine
        even = cosine[:, None] * c + sine[:, None] * s
        odd = sine[:, None] * c - cosine[:, None] * s
        out = {}
        for l, table in enumerate(tables):
            product = (odd if l % 2 else even) @ table
            parts = product.reshape(n_atom, n_species, 2 * l + 1, n_radial)
            out[Irrep(l, 1)] = parts.transpose(0, 2, 1, 3).reshape(n_atom, 2 * l + 1, -1)
        level = self._mean * np.sqrt(4.0 * np.pi) / cell.measure * self.basis[:, 0].sum(axis=0)
        constant = member.sum(axis=1)[:, None] * level - member.T[:, :, None] * self._own
        out[Irrep(0, 1)][:, 0] += constant.reshape(n_atom, -1)
        return out

    def adjoint(
        self,
        positions: np.ndarray,
        species: np.ndarray,
        n_species: int,
        cell: Cell,
        out_bar: Tensors,
    ) -> np.ndarray:
        """dL/d positions (n_atom, 3)."""
        waves, tables = self._tables(cell)
        n_atom = len(positions)
        cosine, sine = np.cos(positions @ waves.T), np.sin(positions @ waves.T)
        member = np.equal.outer(np.arange(n_species), species).astype(float)
        bars = [np.zeros((n_atom, n_species, len(waves))) for _ in range(2)]
        for l, table in enumerate(tables):
            if Irrep(l, 1) in out_bar:
                parts = out_bar[Irrep(l, 1)].reshape(n_atom, 2 * l + 1, n_species, -1)
                flat = parts.transpose(0, 2, 1, 3).reshape(n_atom, n_species, -1)
                bars[l % 2] += flat @ table.T
        even, odd = bars
        c, s = member @ cosine, member @ sine
        cosine_bar = np.einsum("iag,ag->ig", even, c) - np.einsum("iag,ag->ig", odd, s)
        sine_bar = np.einsum("iag,ag->ig", even, s) + np.einsum("iag,ag->ig", odd, c)
        c_bar = np.einsum("iag,ig->ag", even, cosine) + np.einsum("iag,ig->ag", odd, sine)
        s_bar = np.einsum("iag,ig->ag", even, sine) - np.einsum("iag,ig->ag", odd, cosine)
        cosine_bar += member.T @ c_bar
        sine_bar += member.T @ s_bar
        return np.asarray((cosine * sine_bar - sine * cosine_bar) @ waves)


@dataclass(frozen=True, eq=False)
class Potential:
    """Structures -> V_i of every atom, and back to positions: molecules whole, crystals by Ewald.

    Attributes
    ----------
    molecules : Expansion
        All pairs, on a :class:`LongRangeTable`.
    images : Expansion
        What two widths differ by, within a cutoff.
    waves : Waves
    """

    molecules: Expansion
    images: Expansion
    waves: Waves

    @classmethod
    def of(
        cls,
        elements: Sequence[int],
        power: int,
        cutoff: float,
        n_degree: int,
        width: float,
        functions: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> Potential:
        """The potential 1/r^p of atoms smeared by w, in a sphere around each atom.

        Parameters
        ----------
        elements : sequence of int
            Atomic numbers that are known; each is a set of channels.
        power : int
            p.
        cutoff : float
            Radius of the sphere, bohr.
        n_degree : int
        width : float
            Of the smeared atoms, bohr; at most a quarter of the sphere.
        functions : callable, optional
            Basis R_nl(x) inside the sphere, (n, n_degree, n_radial); :func:`monomials` without.
        """
        known, wide = tuple(elements), SPLIT * cutoff
        whole = LongRangeTable.of(power, cutoff, n_degree, width, functions)
        near = smeared_difference(power, cutoff, n_degree, (width, wide), RANGE * wide, functions)
        x, w = quadrature(cutoff, N_SHELL)
        basis = w[:, None, None] * (functions or monomials(cutoff, n_degree))(x)
        waves = Waves(power, width, wide, read_only(x), read_only(basis))
        return cls(Expansion(known, whole), Expansion(known, near), waves)

    def _sorted(self, structures: Sequence[Geometry]) -> tuple[list[np.ndarray], list[list[int]]]:
        """Rows of the atoms of molecules and of crystals, and which structures these are."""
        if not structures:
            raise InputError("no structures are given: features need one or more")
        for n, structure in enumerate(structures):
            cell = cell_of(structure)
            if cell is not None and cell.dimension < 3:
                raise InputError(
                    f"structure {n}: the potential of {cell.kind} is not supported: give a "
                    "crystal, with empty space across it"
                )
        start = np.cumsum([0, *(len(s.numbers) for s in structures)])
        which: list[list[int]] = [[], []]
        for n, structure in enumerate(structures):
            which[cell_of(structure) is not None].append(n)
        rows = [
            np.concatenate([np.arange(start[n], start[n + 1]) for n in part] or [np.arange(0)])
            for part in which
        ]
        return rows, which

    def __call__(self, structures: Sequence[Geometry]) -> dict[Irrep, np.ndarray]:
        """Coefficients {(l, +1): (n_atom, 2l+1, n_channel)}; atoms as in the structures.

        Raises
        ------
        InputError
            For a chain or a layer.
        """
        rows, (free, crystals) = self._sorted(structures)
        parts = []
        if free:
            molecules = [structures[n] for n in free]
            parts.append(self.molecules(self.molecules.neighbours(molecules)))
        for n in crystals:
            neighbours = self.images.neighbours([structures[n]])
            far = self.waves(*self._arguments(structures[n]))
            parts.append({i: v + far[i] for i, v in self.images(neighbours).items()})
        back = np.argsort(np.concatenate(rows))
        return {i: np.concatenate([part[i] for part in parts])[back] for i in parts[0]}

    def _arguments(self, crystal: Geometry) -> tuple[np.ndarray, np.ndarray, int, Cell]:
        elements = self.images.elements
        species = np.array([elements.index(z) for z in crystal.numbers.tolist()])
        cell = cell_of(crystal)
        assert cell is not None
        return np.asarray(crystal.positions), species, len(elements), cell

    def adjoint(self, structures: Sequence[Geometry], out_bar: Tensors) -> np.ndarray:
        """dL/d positions (n_atom, 3); irreps missing from ``out_bar`` count as zero."""
        rows, (free, crystals) = self._sorted(structures)
        out = np.zeros((sum(map(len, rows)), 3))
        if free:
            mine = {i: np.ascontiguousarray(bar[rows[0]]) for i, bar in out_bar.items()}
            neighbours = self.molecules.neighbours([structures[n] for n in free])
            out[rows[0]] = self.molecules.adjoint(neighbours, mine)
        begin = 0
        for n in crystals:
            atoms = rows[1][begin : begin + len(structures[n].numbers)]
            begin += atoms.size
            mine = {i: np.ascontiguousarray(bar[atoms]) for i, bar in out_bar.items()}
            neighbours = self.images.neighbours([structures[n]])
            out[atoms] = self.images.adjoint(neighbours, mine)
            out[atoms] += self.waves.adjoint(*self._arguments(structures[n]), mine)
        return out
