"""Complete triplets: what they separate and what others do not; symmetry, slopes, smoothness."""

from itertools import permutations

import numpy as np
import pytest
from harness import assert_equivariant
from molecules import distorted
from representation_walks import BASIS, BONDS, ELEMENTS, EXPANSION, assert_position_derivative

from mlsemi.errors import DomainWarning
from mlsemi.representations.centers import Bonds
from mlsemi.representations.correlations import AtomFeatures
from mlsemi.representations.degenerate import same_distances, same_radii, same_triples
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.neighbours import Points
from mlsemi.representations.radial_tables import point_functions
from mlsemi.representations.triplets import TripleScalars, TripletDescriptors
from mlsemi.symmetry.radial import RadialBasis
from mlsemi.symmetry.tensors import SCALAR

SMALL = distorted("HCOOH", seed=5)
CENTER = np.array([0])
FAMILIES = (same_radii, same_distances, same_triples)
ENOUGH = RadialBasis(4, 9.0)


def descriptors(structures, bonds, expansion, n_landmark=12, centers=None):
    atoms = AtomFeatures.fit(structures, expansion, 1, 3, 3)
    scalars = TripleScalars.fit(structures, bonds, atoms, 10, 30, centers)
    return TripletDescriptors.fit(structures, scalars, n_landmark, 0.7, centers=centers)


@pytest.fixture(scope="module")
def triplets():
    return descriptors([SMALL], BONDS, EXPANSION)


class AsOrder:
    """Triplet descriptors in the form of the other features, for the common walk."""

    def __init__(self, triplets):
        self.triplets = triplets

    def __call__(self, structures):
        return [{SCALAR: self.triplets(structures)[:, None]}]

    def adjoint(self, structures, orders_bar):
        return self.triplets.adjoint(structures, orders_bar[0][SCALAR][:, 0])


def test_triplets_are_invariant_with_derivatives(triplets):
    assert_equivariant(lambda s: {"triplets": ("atom", triplets([s]))}, SMALL)
    assert_position_derivative(AsOrder(triplets), SMALL)


def test_landmark_zero_is_a_sum_of_even_gaussians(triplets):
    """The definition, one triple after the other."""
    found = triplets.scalars([SMALL])
    _, f = RadialBasis(2, BASIS.cutoff)(found.neighbours.distance)
    expected = np.zeros(SMALL.n_atom)
    for t, (left, right) in enumerate(zip(*found.triples, strict=True)):
        s = triplets.proper_scale * found.proper[t] - triplets.proper[0]
        p, b = triplets.pseudo_scale * found.pseudo[t], triplets.pseudo[0]
        pair = [np.exp(-0.5 * (s @ s + q @ q)) for q in (p - b, p + b)]
        expected[found.center[t]] += f[left] * f[right] * 0.5 * sum(pair)
    np.testing.assert_allclose(triplets([SMALL])[:, 0], expected, rtol=1e-10, atol=1e-13)


def difference(values):
    """Of two environments, relative to their size."""
    a, b = (np.concatenate([np.ravel(x) for x in v]) for v in values)
    return np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max())


@pytest.mark.parametrize("family", FAMILIES)
def test_what_separates_which_family(family):
    """nu = 1, 2, 3 are blind to a family each, linear triplets where nu = 3 is, others to none."""
    pair = family(seed=3)
    elements = (*ELEMENTS, 5)
    expansion = Expansion(elements, point_functions(ENOUGH, 5))
    bonds = Bonds(elements, point_functions(ENOUGH, 4), by_species=True)
    atoms = AtomFeatures.fit(pair, expansion.optimal(pair, 2), 4, 4, 30, n_product=500)
    orders = [atoms([one]) for one in pair]
    change = {
        f"nu = {n}": difference([[order[n - 1][SCALAR][0]] for order in orders])
        for n in (1, 2, 3, 4)
    }
    triplets = descriptors(pair, bonds, expansion.optimal(pair, 2), 20, CENTER)
    change["linear"] = difference([[triplets.scalars.summed([p], CENTER)[0]] for p in pair])
    change["nonlinear"] = difference([[triplets([p], CENTER)[0]] for p in pair])
    blind = FAMILIES.index(family) + 1
    for n in (1, 2, 3):
        assert (change[f"nu = {n}"] < 1e-10) == (n <= blind), change
    assert (change["linear"] < 1e-10) == (blind == 3), change
    assert change["nonlinear"] > 1e-4
    assert change["nu = 4"] > 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_families_are_what_they_say(seed):
    """Same radii or same distances, and no renumbering brings the two environments together."""
    for family, everything in ((same_radii, False), (same_distances, True), (same_triples, True)):
        a, b = (np.linalg.norm(p.positions[:, None] - p.positions, axis=2) for p in family(seed))
        np.testing.assert_allclose(np.sort(a[0]), np.sort(b[0]), atol=1e-12)
        assert (np.abs(np.sort(a.ravel()) - np.sort(b.ravel())).max() < 1e-10) == everything
        n = a.shape[0] - 1
        renumbered = (a[1:, 1:][np.ix_(p, p)] for p in permutations(range(n)))
        assert min(np.abs(one - b[1:, 1:]).max() for one in renumbered) > 1e-2


def test_descriptors_are_smooth_when_a_neighbour_leaves(triplets):
    """One-sided slopes agree at the cutoff, where whole triples disappear."""

    def values(distance):
        x = np.array([[0.0, 0.0, 0.0], [2.0, 0.5, 0.0], [0.3, 2.0, 0.4], [0.0, 0.0, distance]])
        return triplets([Points(np.array([6, 1, 8, 1]), x)])[0]

    cutoff, h = BASIS.cutoff, 1e-3
    assert np.abs(values(0.6 * cutoff) - values(cutoff)).max() > 1e-4
    left = (values(cutoff) - values(cutoff - h)) / h
    right = (values(cutoff + h) - values(cutoff)) / h
    np.testing.assert_allclose(left, right, atol=1e-4)
    np.testing.assert_allclose(values(cutoff - 1e-9), values(cutoff + 1e-9), atol=1e-12)


def test_pseudo_scalars_that_no_environment_of_the_fit_showed_are_not_lost():
    flat = Points(SMALL.numbers, SMALL.positions * np.array([1.0, 1.0, 0.0]))
    planar = descriptors([flat], BONDS, EXPANSION)
    assert planar.pseudo.shape[1] > 0
    assert not planar.pseudo.any()
    with pytest.warns(DomainWarning, match=r"l = 0, sigma = -1 were zero in all"):
        found = planar.scalars([SMALL])
    assert np.abs(found.pseudo).max() > 1e-3
    assert np.isfinite(planar.adjoint([flat], np.ones((SMALL.n_atom, 12)))).all()
