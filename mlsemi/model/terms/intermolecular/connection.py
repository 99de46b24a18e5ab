"""Connection: whether two atoms belong to one molecule, without a step (theory eq 20).

    b_ij = c_ij c_ji [1 - h((x_ij - BOND) / (CONTACT - BOND))],   x_ij = r_ij / (R_i + R_j)
    u_ij = probability that a path of at most LONGEST bonds leads from i to j

with covalent radii R and the smooth step h, and every bond there with the probability b. In a
molecule every bond has b = 1 and u is 1 or 0; two molecules in contact have u = 0; in between lie
bonds that break. What reads u instead of distances alone sees a molecule as it would see it alone.

An atom of one valence, hydrogen or a halogen, gives its bond to the nearest partner:

    c_ij = prod_k [1 - b0_ik h((x_ij - x_ik) / NEARER) h((x_ij - LONG) / (LONGER - LONG))]

and 1 for all other atoms, with b0 the bracket above: a hydrogen bond is no bond however short it
is, until the hydrogen is about to change sides, and bonds as long as bonds are keep what they have.
In a cell images are atoms like others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.connection import connection, connection_adjoint
from mlsemi.lattice.nets import Unfolded
from mlsemi.model.terms.neutrality import Parts
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import EVERYTHING, Term
from mlsemi.molecule.elements import covalent_radius, valence
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.radial import smooth_step

BOND, CONTACT = 1.45, 1.65
"""Sums of covalent radii up to which atoms are bonded, and from which they are not. What a single
molecule learned of bonds stretched by half stays as it is; sulfur atoms in contact are 3.5 angstrom
apart, and have no part of a bond from 3.46 on."""

NEARER, LONG, LONGER = 0.35, 1.0, 1.3
"""By how much nearer, in the same unit, another partner is that has the whole bond (beside a
hydrogen bond of 1.5 angstrom: 0.5), and what no ordinary bond is longer than: a hypervalent
chlorine keeps all of its own."""

LONGEST = 6
"""Bonds of the longest path: of zigzag chains it is as long as the cutoff of the features."""


class Rivals(NamedTuple):
    """Bonds of atoms of one valence that have another partner as well.

    Attributes
    ----------
    bond, other : (n,) int arrays
        Both as numbers among the bonds.
    factor : (n,) array
        What is left of the bond beside the other.
    step, apart, long : (n,) arrays
        Product of both h, its derivatives by the difference of the x and by x_ij.
    """

    bond: np.ndarray
    other: np.ndarray
    factor: np.ndarray
    step: np.ndarray
    apart: np.ndarray
    long: np.ndarray


class ConnectionRecord(NamedTuple):
    """What the adjoint needs.

    Attributes
    ----------
    bonds : (n_bond,) int array
        Pairs with b0 > 0.
    bare, slope : (n_bond,) arrays
        Their b0 and its derivative by x.
    length : (n_bond,) array
        R_i + R_j.
    back : (n_bond,) int array
        The other direction of each.
    share : (n_bond,) array
        The factors c_ij.
    rivals : Rivals
    net : Unfolded
        Of the bonds.
    node : (n_pair,) int array
        Node of the second atom of every pair.
    """

    bonds: np.ndarray
    bare: np.ndarray
    slope: np.ndarray
    length: np.ndarray
    back: np.ndarray
    share: np.ndarray
    rivals: Rivals
    net: Unfolded
    node: np.ndarray


class Connection(Term):
    """b and u of every pair: ``out.strength``, ``out.connection``; parts by paths of any length.

    It has no weights.
    """

    serves = EVERYTHING | {"atom_energies", "multipoles"}

    def forward(self, weights: Weights, out: Prediction) -> ConnectionRecord:
        """Strengths of bonds, then paths of them."""
        pairs, elements = out.pairs, self.form.elements
        radius = covalent_radius(np.asarray(elements))[pairs.species]
        length = radius[pairs.first] + radius[pairs.second]
        bonds = np.flatnonzero(pairs.distance < CONTACT * length)
        length = length[bonds]
        x = pairs.distance[bonds] / length
        step, slope = smooth_step((x - BOND) / (CONTACT - BOND))
        bare, slope = 1.0 - step, -slope / (CONTACT - BOND)
        single = np.array([valence(z).electrons in (1, 7) for z in elements])[pairs.species]
        ends = pairs.ends(bonds)
        rivals = _rivals(ends[0], np.flatnonzero(single[ends[0]]), x, bare)
        share = np.ones(bonds.size)
        np.multiply.at(share, rivals.bond, rivals.factor)
        back = _back(*ends) if rivals.bond.size else np.arange(bonds.size)
        strength = bare * share * share[back]
        out.strength = np.zeros(pairs.distance.size)
        out.strength[bonds] = strength
        some = pairs.ends(bonds[strength > 0.0])
        net = Unfolded.of(*some, n_atom=pairs.n_atom, longest=LONGEST)
        node = pairs.second
        if pairs.shift is not None:
            node = net.rows(pairs.first, pairs.second, pairs.shift)
        record = ConnectionRecord(bonds, bare, slope, length, back, share, rivals, net, node)
        out.connection = connection(*_paths(out, record))
        out.parts = Parts.of(pairs, out.strength)
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: ConnectionRecord,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the distances."""
        if bar.geometry is None:
            return
        bonds, bare, slope, length, back, share, rivals, net, _ = record
        strength_bar = bar.strength[bonds]
        there = out.strength[bonds] > 0.0
        unfolded_bar = connection_adjoint(*_paths(out, record), out.connection, bar.connection)
        strength_bar[there] += np.bincount(net.bond, unfolded_bar, np.count_nonzero(there))
        bare_bar, x_bar = strength_bar * share * share[back], np.zeros(bonds.size)
        if rivals.bond.size:
            bond, other, factor, step, apart, long = rivals
            both = strength_bar * bare * share[back]
            share_bar = both + np.bincount(back, strength_bar * bare * share, bonds.size)
            # where a factor is zero the other bond is whole and both steps are over: no slope
            some = factor > 0.0
            left = np.divide(share[bond], factor, out=np.zeros(factor.size), where=some)
            factor_bar = -share_bar[bond] * left
            bare_bar += np.bincount(other, factor_bar * step, bonds.size)
            step_bar = factor_bar * bare[other]
            x_bar += np.bincount(bond, step_bar * (apart + long), bonds.size)
            x_bar -= np.bincount(other, step_bar * apart, bonds.size)
        bar.geometry.distance[bonds] += (bare_bar * slope + x_bar) / length


def _paths(out: Prediction, record: ConnectionRecord) -> tuple[np.ndarray | int, ...]:
    """Arguments of the kernels."""
    net, strength = record.net, out.strength[record.bonds]
    edges = strength[strength > 0.0][net.bond]
    atom = net.nodes[:, 0]
    return net.first, net.second, edges, atom, out.pairs.first, record.node, LONGEST


def _rivals(first: np.ndarray, single: np.ndarray, x: np.ndarray, bare: np.ndarray) -> Rivals:
    """All pairs of the bonds ``single`` that have their first atom in common."""
    atom = first[single]
    many = single[np.bincount(atom, minlength=1)[atom] > 1]
    same = first[many, None] == first[many]
    np.fill_diagonal(same, False)
    bond, other = (many[at] for at in np.nonzero(same))
    apart, apart_slope = smooth_step((x[bond] - x[other]) / NEARER)
    long, long_slope = smooth_step((x[bond] - LONG) / (LONGER - LONG))
    step = apart * long
    slopes = apart_slope * long / NEARER, apart * long_slope / (LONGER - LONG)
    return Rivals(bond, other, 1.0 - bare[other] * step, step, *slopes)


def _back(first: np.ndarray, second: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Where the other direction of each bond stands."""
    out = np.empty(first.size, dtype=np.int64)
    forward, backward = (*shift.T, second, first), (*-shift.T, first, second)
    out[np.lexsort(forward)] = np.lexsort(backward)
    return out
