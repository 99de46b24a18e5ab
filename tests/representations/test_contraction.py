"""What contractions keep: every species and every parity something, and an account of the rest."""

import numpy as np
import pytest
from molecules import distorted
from representation_walks import BONDS, ELEMENTS, EXPANSION

from mlsemi.errors import DomainWarning, InputError
from mlsemi.representations.centers import PairFeatures
from mlsemi.representations.correlations import AtomFeatures
from mlsemi.representations.degenerate import same_radii, same_triples
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.neighbours import Points
from mlsemi.representations.radial_tables import point_functions
from mlsemi.representations.triples import TripleFeatures
from mlsemi.symmetry.contraction import LEAST, Contraction
from mlsemi.symmetry.radial import RadialBasis
from mlsemi.symmetry.selection import covariance, principal_maps
from mlsemi.symmetry.tensors import SCALAR, Irrep

WATER = Points(np.array([8, 1, 1]), np.array([[0.0, 0, 0], [1.8, 0, 0], [-0.4, 1.7, 0]]))


def test_with_one_label_it_is_the_leading_principal_components():
    rng = np.random.default_rng(0)
    tensors = {Irrep(0, 1): rng.normal(size=(40, 1, 6)), Irrep(1, 1): rng.normal(size=(40, 3, 5))}
    found = Contraction.of(tensors, np.zeros(40, int), 3)
    expected = principal_maps({i: covariance(v) for i, v in tensors.items()}, 3)
    for irrep, value in tensors.items():
        np.testing.assert_allclose(found.maps[irrep], expected[irrep], rtol=1e-12)
        part = np.sum((value @ found.maps[irrep]) ** 2) / np.sum(value**2)
        scale = np.linalg.norm(found.maps[irrep][:, 0]) ** 2
        assert found.kept[irrep][0] == pytest.approx(part / scale, rel=1e-12)


def test_a_rare_label_keeps_its_part():
    rng = np.random.default_rng(1)
    many, few = np.zeros((300, 3, 9)), np.zeros((2, 3, 9))
    many[:, :, :6] = rng.normal(size=(300, 3, 6))
    few[:, :, 6:] = 0.1 * rng.normal(size=(2, 3, 3))
    tensors = {Irrep(1, 1): np.concatenate([many, few])}
    labels = np.repeat([0, 1], [300, 2])
    maps, kept = Contraction.of(tensors, labels, 3)
    assert maps[Irrep(1, 1)].shape[1] == 4
    assert kept[Irrep(1, 1)][1] >= LEAST
    components = maps[Irrep(1, 1)] / np.linalg.norm(maps[Irrep(1, 1)][:, 0])
    np.testing.assert_allclose(components.T @ components, np.eye(4), atol=1e-12)
    inside = np.sum((few @ components) ** 2) / np.sum(few**2)
    assert kept[Irrep(1, 1)][1] == pytest.approx(inside, rel=1e-12)
    assert Contraction.of(tensors, np.zeros(302, int), 3).maps[Irrep(1, 1)].shape[1] == 3


def test_two_elements_fitted_together_with_few_features():
    """Boron saw nothing of l >= 1 after the components of CH4 had been kept."""
    structures = [*same_radii(0), *same_triples(0)]
    expansion = Expansion((*ELEMENTS, 5), point_functions(RadialBasis(6, 8.0), 5))
    atoms = AtomFeatures.fit(structures, expansion, 2, 3, 3)
    species = expansion.neighbours(structures).species
    boron = np.flatnonzero(species == 4)
    assert boron.size
    for irrep, value in atoms(structures)[0].items():
        assert np.abs(value[boron]).max() > 1e-3, irrep
    for order in atoms.discarded:
        for irrep, lost in order.items():
            assert lost.shape == (5,)
            assert not np.any(lost > 1.0 - LEAST + 1e-9), irrep


def test_a_parity_that_the_fit_did_not_show_is_kept_and_said():
    molecule = distorted("HCOOH", seed=5)
    chiral = Points(molecule.numbers, molecule.positions)
    atoms = AtomFeatures.fit([WATER], Expansion(ELEMENTS, EXPANSION.radial), 3, 2, 6)
    pseudo = Irrep(0, -1)
    assert np.isnan(atoms.discarded[2][pseudo]).all()
    assert np.abs(atoms([WATER])[2][pseudo]).max() < 1e-12
    with pytest.warns(DomainWarning, match="zero in all environments of the fit"):
        assert np.abs(atoms([chiral])[2][pseudo]).max() > 1e-6


def test_nothing_to_fit_to_is_one_line():
    lone = Points(np.array([8]), np.zeros((1, 3)))
    hydrogen = Points(np.array([1, 1]), np.array([[0.0, 0, 0], [1.4, 0, 0]]))
    with pytest.raises(InputError, match="no atom has a neighbour"):
        AtomFeatures.fit([lone], EXPANSION, 2, 2, 4)
    with pytest.raises(InputError, match="no structures are given"):
        AtomFeatures.fit([], EXPANSION, 2, 2, 4)
    with pytest.raises(InputError, match="no samples to fit features to"):
        TripleFeatures.fit([hydrogen], BONDS, None, (SCALAR,), 4, 4)
    atoms = AtomFeatures.fit([WATER], EXPANSION, 2, 2, 4)
    with pytest.raises(InputError, match="no samples to fit features to"):
        PairFeatures.fit([lone], BONDS, atoms, 1, 2, 4)
    pairs = PairFeatures.fit([WATER], BONDS, atoms, 1, 2, 4)
    assert all(v.shape[0] == 0 for order in pairs([lone]).orders for v in order.values())


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([0.0, 0.0, 1.0], "structure 1: atom 0 and atom 1 are at the same place"),
        ([np.nan, 0.0, 0.0], "structure 1: atom 1 has coordinates that are no finite numbers"),
    ],
)
def test_impossible_coordinates_are_one_line(second, words):
    atoms = AtomFeatures.fit([WATER], EXPANSION, 1, 2, 4)
    bad = Points(np.array([8, 1]), np.array([[0.0, 0.0, 1.0], second]))
    with pytest.raises(InputError, match=words):
        atoms([WATER, bad])
