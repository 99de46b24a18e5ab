"""Contacts: overlap of what two molecules have on their atoms (theory eq 23).

    E = sum_(i<j) (1 - u_ij) [f(r_ij / r_c) sum_c s_c tr(M_i^c S_ij^c M_j^c S_ij^cT)
                              + WALL max(0, 1 - r_ij / d_ij)^3],    s = +1, -1

with a wall where no data are, nearer than atoms of molecules in contact come (d_ij), and with the
overlap S_ij^c of the valence orbitals of two atoms, exponents scaled for each c, and symmetric
matrices M_i^c that the features of either molecule alone decide. The overlap perturbation of closed
shells has this form: with densities for M it is their exchange repulsion, with a density and an
empty shell their charge transfer, and tr(D S A S^T + A S D S^T) is the difference of two squares.
Empty shells, and what the fields of two densities inside each other do, reach farther than filled
ones: their orbitals may be more diffuse.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from mlsemi.kernels.integrals import overlap_blocks, overlap_blocks_adjoint, radial_table
from mlsemi.model.terms.on_site import PARTS
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Term, Weight
from mlsemi.molecule.basis import SLATER_EXPONENT, species_row
from mlsemi.molecule.elements import n_orbital_of, valence, van_der_waals_radius
from mlsemi.symmetry.blocks import P_LEVEL, symmetric_blocks, symmetric_blocks_adjoint
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.so3 import components

SIGNS = np.array([1.0, -1.0])
WALL = 2.0
"""Hartree."""

CLOSEST = np.array([0.60, 0.56, 0.76])
"""d of two hydrogens, hydrogen and another, two others, in sums of van der Waals radii: one in a
thousand training structures has a pair four or more bonds apart that is nearer."""

FILLED, EMPTY = 0.9, 0.1
"""Start of M: so many times the electron pairs of each orbital, and a little of everything."""


def closest_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """D, where the wall begins, of elements by their numbers (n,) and (m,): (n, m), bohr."""
    heavy = [(numbers > 1).astype(np.int64) for numbers in (first, second)]
    radius = [van_der_waals_radius(numbers) for numbers in (first, second)]
    return np.asarray(CLOSEST[np.add.outer(*heavy)] * np.add.outer(*radius))


@cache
def tables_of(elements: tuple[int, ...], scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Radial tables of the overlap for every ordered pair of species, exponents scaled."""
    rows = [species_row(z, scale * SLATER_EXPONENT[z]) for z in elements]
    exponents, coefficients = (np.array(part) for part in zip(*rows, strict=True))
    damping, weight = radial_table(exponents, coefficients)
    return damping, weight


class Touching(NamedTuple):
    """Pairs of atoms in contact, and what the geometry and the features say of them.

    Attributes
    ----------
    chosen : (n,) int array
        Pairs that are not connected.
    share : (n,) array
        (1 - u) f.
    overlap : (n, 2, 4, 4) array
        S of every pair.
    reach, depth : (n,) arrays
        d of every pair, and how far the wall is entered, max(0, 1 - r / d).
    """

    chosen: np.ndarray
    share: np.ndarray
    overlap: np.ndarray
    reach: np.ndarray
    depth: np.ndarray


class ContactRecord(NamedTuple):
    """What the adjoint needs.

    Attributes
    ----------
    touching : Touching
    matrices : (n_atom, 2, 4, 4) array
        M of every atom.
    left, right : (n, 2, 4, 4) arrays
        M_i S and S M_j.
    """

    touching: Touching
    matrices: np.ndarray
    left: np.ndarray
    right: np.ndarray


class Contacts(Term):
    """Half of it on either atom."""

    serves = frozenset({"atom_energies"})

    def weights(self) -> dict[str, Weight]:
        """``contact.level`` (n_species, 2, 2): s and p of M; ``contact.head`` from the features."""
        s, n = len(self.form.elements), self.form.n_node
        return {
            "contact.level": Weight((s, SIGNS.size, 2), step=0.1, decays=False),
            "contact.head": Weight((s, n, SIGNS.size, len(PARTS)), step=0.1),
        }

    def fit(self, weights: dict[str, np.ndarray], known: object, sample: Prediction) -> None:
        """Repulsion of filled shells, less a little."""
        for row, z in enumerate(self.form.elements):
            electrons = valence(z).electrons
            s = min(2, electrons)
            weights["contact.level"][row, 0] = FILLED * s / 2.0, FILLED * (electrons - s) / 6.0
            weights["contact.level"][row, 1] = EMPTY

    def forward(self, weights: Weights, out: Prediction) -> ContactRecord | None:
        """Matrices, overlaps, traces; nothing where no two atoms are in contact."""
        touching = self.touching(out)
        return None if touching is None else self.add_energies(weights, out, touching)

    def touching(self, out: Prediction) -> Touching | None:
        """What does not depend on the weights of this term."""
        pairs = out.pairs
        far = (1.0 - out.connection[pairs.half]) * out.envelope[pairs.half]
        chosen = pairs.half[far > 0.0]
        if not chosen.size:
            return None
        given = self._pairs(out, chosen)
        overlap = np.stack([overlap_blocks(*given, *table) for table in self._tables()], axis=1)
        reach = self._reach(out, chosen)
        depth = np.maximum(0.0, 1.0 - pairs.distance[chosen] / reach)
        return Touching(chosen, far[far > 0.0], overlap, reach, depth)

    def add_energies(self, weights: Weights, out: Prediction, touching: Touching) -> ContactRecord:
        """Traces and wall, half on either atom."""
        pairs, (chosen, share, overlap, _, depth) = out.pairs, touching
        matrices = self._matrices(weights, out)
        left = matrices[pairs.first[chosen]] @ overlap
        right = overlap @ matrices[pairs.second[chosen]]
        halves = 0.5 * share * np.einsum("pcab,pcab,c->p", left, right, SIGNS)
        halves += 0.5 * WALL * (1.0 - out.connection[chosen]) * depth**3
        for atoms in (pairs.first, pairs.second):
            out.atom_energies += np.bincount(atoms[chosen], halves, pairs.n_atom)
        return ContactRecord(touching, matrices, left, right)

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: ContactRecord | None,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the features, the weights, the geometry and the connection."""
        if record is None or bar.atom_energies is None:
            return
        pairs, (touching, matrices, left, right) = out.pairs, record
        chosen, share, overlap, reach, depth = touching
        first, second = pairs.first[chosen], pairs.second[chosen]
        energy_bar = 0.5 * (bar.atom_energies[first] + bar.atom_energies[second])
        signed = (energy_bar * share)[:, None, None, None] * SIGNS[:, None, None]
        matrices_bar = np.zeros_like(matrices)
        np.add.at(matrices_bar, first, signed * (right @ overlap.swapaxes(2, 3)))
        np.add.at(matrices_bar, second, signed * (overlap.swapaxes(2, 3) @ left))
        self._matrices_adjoint(weights, out, matrices_bar, bar, gradients)
        if bar.geometry is None:
            return
        share_bar = energy_bar * np.einsum("pcab,pcab,c->p", left, right, SIGNS)
        apart = 1.0 - out.connection[chosen]
        bar.connection[chosen] -= share_bar * out.envelope[chosen] + energy_bar * WALL * depth**3
        bar.geometry.distance[chosen] -= energy_bar * apart * 3.0 * WALL * depth**2 / reach
        bar.geometry.envelope[chosen] += share_bar * apart
        overlap_bar = np.stack([*(2.0 * signed * (left @ matrices[second])).swapaxes(0, 1)])
        given, vectors_bar = self._pairs(out, chosen), np.zeros((chosen.size, 3))
        for table, of_kind in zip(self._tables(), overlap_bar, strict=True):
            vectors_bar += overlap_blocks_adjoint(*given, *table, of_kind)
        bar.geometry.positions[:] += pairs.vectors_adjoint(chosen, vectors_bar)
        bar.geometry.strain[:] += vectors_bar.T @ pairs.vectors(chosen)

    def _tables(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Those of repulsion and attraction."""
        return [tables_of(self.form.elements, scale) for scale in self.form.contact_exponents]

    def _reach(self, out: Prediction, chosen: np.ndarray) -> np.ndarray:
        """D of pairs, bohr."""
        pairs, elements = out.pairs, np.asarray(self.form.elements)
        i, j = pairs.species[pairs.first[chosen]], pairs.species[pairs.second[chosen]]
        reach: np.ndarray = closest_distances(elements, elements)[i, j]
        return reach

    def _pairs(
        self, out: Prediction, chosen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Species of both atoms, vectors and numbers of orbitals by species."""
        pairs = out.pairs
        sizes = np.array([n_orbital_of(z) for z in self.form.elements])
        return (
            pairs.species[pairs.first[chosen]],
            pairs.species[pairs.second[chosen]],
            pairs.vectors(chosen),
            sizes,
        )

    def _matrices(self, weights: Weights, out: Prediction) -> np.ndarray:
        """M of every atom from its level and its features inside the molecule."""
        inner, species = out.bonded, out.pairs.species
        assert inner is not None
        level, head = weights["contact.level"][species], weights["contact.head"][species]
        irreps = np.zeros((species.size, SIGNS.size, PARTS[-1][1].stop))
        irreps[:, :, 0] = level[:, :, 0]
        irreps[:, :, 4] = P_LEVEL * level[:, :, 1]
        for column, (l, span) in enumerate(PARTS):
            scale = P_LEVEL if column == 2 else 1.0
            irreps[:, :, span] += scale * np.einsum(
                "imk,ikc->icm", inner.nodes[:, components(l)], head[..., column]
            )
        return symmetric_blocks(irreps)

    def _matrices_adjoint(
        self,
        weights: Weights,
        out: Prediction,
        matrices_bar: np.ndarray,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """Adjoint of :meth:`_matrices`."""
        inner, inner_bar = out.bonded, bar.bonded
        assert inner is not None
        assert inner_bar is not None
        head = weights["contact.head"][out.pairs.species]
        irreps_bar = symmetric_blocks_adjoint(matrices_bar)
        irreps_bar[:, :, 4] *= P_LEVEL
        for column, (l, span) in enumerate(PARTS):
            part_bar, nodes = irreps_bar[:, :, span], inner.nodes[:, components(l)]
            inner_bar.nodes[:, components(l)] += np.einsum(
                "icm,ikc->imk", part_bar, head[..., column]
            )
            if gradients is not None:
                per_atom = np.einsum("icm,imk->ikc", part_bar, nodes)
                for species, rows in out.pairs.groups:
                    gradients["contact.head"][species, ..., column] += per_atom[rows].sum(axis=0)
        if gradients is not None:
            for species, rows in out.pairs.groups:
                gradients["contact.level"][species] += irreps_bar[rows][:, :, [0, 4]].sum(axis=0)
