"""The softened Coulomb law summed over all images of a chain, a layer or a crystal (theory eq 25).

    1 / (r^2 + a^2)^1/2 = 2 / pi^1/2  int_0^inf exp(-(r^2 + a^2) t^2) dt

A sum over images converges at once for t > split, where it is erfc(split s) / s with
s^2 = r^2 + a^2, and in reciprocal space for t < split, where Poisson's formula for the d periodic
directions gives, with rho the distance across them and Omega the measure of the cell,

    sum_R exp(-|r + R|^2 t^2) = pi^d/2 / (Omega t^d) exp(-rho^2 t^2)
                                sum_G exp(-G^2 / (4 t^2)) cos(G.r)

This is Ewald's way (a = 0, d = 3: Ann. Phys. 369, 253 (1921); d = 2: Parry, Surf. Sci. 49, 433
(1975)); the softening costs no more than the factor exp(-a^2 t^2), and one formula serves all d.
The integral over t from 0 to split is taken by Gauss and Legendre's rule.

Charges of a cell sum to zero, so that a constant added to all elements changes nothing: G = 0 keeps
its dependence on rho alone. The potential averages to zero over a crystal (conducting
surroundings), and decays away from a chain or layer without a dipole.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import erf

import numpy as np

from mlsemi.kernels.lattice import screened, screened_adjoint
from mlsemi.lattice.cell import Cell

SPLIT = {1: 2.0, 2: 2.5, 3: 3.0}
"""Split of the integral times the length of a cell of the same measure, for d periodic directions:
both halves of the sum take about the same time."""

RANGE = 6.0
"""exp(-RANGE^2) = 2e-16: left out are images beyond RANGE / split, waves beyond 2 RANGE split."""

N_NODE = {1: 64, 2: 64, 3: 128}
"""Points of the integral over t."""


@cache
def _rule(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre."""
    return np.polynomial.legendre.leggauss(n)


def nodes(split: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """``n`` points t from 0 to split, and their weights times 2 / pi^1/2."""
    node, weight = _rule(n)
    return 0.5 * split * (1.0 + node), 0.5 * split * weight * 2.0 / np.sqrt(np.pi)


class _Split:
    """Where the sum is split, with what both halves need."""

    def __init__(self, positions: np.ndarray, cell: Cell, width: float) -> None:
        d = cell.dimension
        self.cell, self.width = cell, width
        self.positions = cell.wrapped(positions)
        self.split = SPLIT[d] / cell.measure ** (1.0 / d)
        self.cutoff = RANGE / self.split
        self.translations = cell.shifts(self.cutoff) @ cell.vectors
        self.waves = cell.waves(2.0 * RANGE * self.split)
        self.squared = np.sum(self.waves**2, axis=1)
        phase = self.positions @ self.waves.T
        self.parts = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
        across = self.positions @ (np.eye(3) - cell.span)
        self.across = across[:, None] - across[None, :]
        self.rho2 = np.sum(self.across**2, axis=2)
        self.t, strength = nodes(self.split, N_NODE[d])
        bare = strength * np.exp(-((width * self.t) ** 2))
        self.strength = bare * np.pi ** (0.5 * d) / (cell.measure * self.t**d)

    @property
    def images(self) -> tuple[np.ndarray, np.ndarray, float, float, float]:
        """Arguments of the sum over images."""
        return self.positions, self.translations, self.split, self.width, self.cutoff

    def layers(self) -> Iterator[tuple[np.ndarray, np.ndarray, float, float]]:
        """Weights of the waves (both of G and -G), their strains, t^2 and strength of each t.

        Without a direction across, rho is zero and all t are one layer.
        """
        square = 4.0 * self.t[:, None] ** 2
        weight = 2.0 * self.strength[:, None] * np.exp(-self.squared / square)
        strain = 2.0 * weight / square
        if self.cell.dimension == 3:
            yield weight.sum(axis=0), strain.sum(axis=0), 0.0, 0.0
        else:
            yield from zip(weight, strain, self.t**2, self.strength, strict=True)


def softened_sum(positions: np.ndarray, cell: Cell, width: float) -> np.ndarray:
    """(n, n) sums over images of 1 / (r_ij^2 + a^2)^1/2, an atom and itself left out.

    Up to a constant, the same for all elements, that charges which sum to zero do not notice.

    Parameters
    ----------
    positions : (n, 3) array
    cell : Cell
    width : float
        a, above zero.
    """
    of = _Split(positions, cell, width)
    out = screened(*of.images)
    for weight, _, t2, strength in of.layers():
        plane = (of.parts * np.tile(weight, 2)) @ of.parts.T
        out += plane * np.exp(-t2 * of.rho2) + strength * np.expm1(-t2 * of.rho2)
    out[np.diag_indices_from(out)] -= erf(of.split * width) / width
    return out


def softened_sum_adjoint(
    positions: np.ndarray, cell: Cell, width: float, bar: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Adjoint of :func:`softened_sum`.

    Parameters
    ----------
    positions : (n, 3) array
    cell : Cell
    width : float
    bar : (n, n) array
        dL/d of the elements, of a loss that a constant added to all of them does not change.

    Returns
    -------
    positions_bar (n, 3), and strain_bar (3, 3): dL/d strain of r -> (1 + strain) r for positions
    and cell, symmetric.
    """
    of = _Split(positions, cell, width)
    positions_bar, strain_bar = screened_adjoint(*of.images, np.ascontiguousarray(bar))
    both = bar + bar.T
    n_wave = of.squared.size
    moved, inside = np.zeros_like(positions_bar), np.zeros((3, 3))
    for weight, strain, t2, strength in of.layers():
        fade = np.exp(-t2 * of.rho2)
        seen = (both * fade) @ of.parts
        cosine, sine = of.parts[:, :n_wave], of.parts[:, n_wave:]
        moved += ((cosine * seen[:, n_wave:] - sine * seen[:, :n_wave]) * weight) @ of.waves
        power = 0.5 * np.sum(of.parts * seen, axis=0)
        power = power[:n_wave] + power[n_wave:]
        inside += (of.waves * (strain * power)[:, None]).T @ of.waves
        level = float(weight @ power)
        if t2:
            plane = (of.parts * np.tile(weight, 2)) @ of.parts.T
            pull = -2.0 * t2 * both * fade * (plane + strength)
            moved += np.einsum("ij,ijx->ix", pull, of.across)
            level += 0.5 * strength * float(np.sum(both * np.expm1(-t2 * of.rho2)))
        inside -= level * cell.span
    across = np.eye(3) - cell.span
    tilted = moved.T @ of.positions @ across
    strain_bar += inside + tilted + across @ tilted.T @ cell.span
    return positions_bar + moved, strain_bar
