"""Features as metatensor's TensorMaps: there and back, and what featomic makes."""

import numpy as np
import pytest
from representation_walks import BONDS, STRUCTURES, fitted_atoms

from mlsemi.errors import InputError
from mlsemi.representations.centers import PairFeatures
from mlsemi.representations.tensor_maps import samples_of, tensor_map, tensors_of
from mlsemi.representations.triples import TripleFeatures
from mlsemi.symmetry.tensors import SCALAR, Irrep

mts = pytest.importorskip("metatensor")
ATOMS = fitted_atoms(nu=2)


def same(tensors, samples):
    found, rows = tensors_of(tensor_map(tensors, samples))
    assert list(found) == list(tensors)
    for irrep, value in tensors.items():
        np.testing.assert_array_equal(found[irrep], value)
    np.testing.assert_array_equal(rows, samples)


def test_there_and_back_with_one_to_three_centers():
    neighbours = ATOMS.expansion.neighbours(STRUCTURES)
    samples = samples_of(neighbours)
    assert samples[:, 0].tolist() == [0] * STRUCTURES[0].n_atom + [1] * STRUCTURES[1].n_atom
    assert samples[STRUCTURES[0].n_atom].tolist() == [1, 0]
    same(ATOMS(STRUCTURES)[1], samples)
    pairs, orders = PairFeatures.fit(STRUCTURES, BONDS, ATOMS, 1, 1, 3)(STRUCTURES)
    same(orders[1], samples_of(pairs, np.stack([pairs.first, pairs.second], axis=1)))
    found = TripleFeatures.fit(STRUCTURES[:1], BONDS, None, (SCALAR,), 2, 2)(STRUCTURES[:1])
    same(found.tensors, samples_of(found.neighbours, found.triples.centers(found.neighbours)))


def test_components_and_keys_are_named_as_others_do():
    exchanged = tensor_map(ATOMS(STRUCTURES)[1], samples_of(ATOMS.expansion.neighbours(STRUCTURES)))
    block = exchanged.block({"o3_lambda": 2, "o3_sigma": -1})
    assert block.components[0].names == ["o3_mu"]
    assert block.components[0].values[:, 0].tolist() == [-2, -1, 0, 1, 2]
    assert exchanged.sample_names == ["system", "atom"]


def test_featomic_comes_in():
    featomic = pytest.importorskip("featomic")
    hypers = {
        "cutoff": {"radius": 4.0, "smoothing": {"type": "ShiftedCosine", "width": 1.0}},
        "density": {"type": "Gaussian", "width": 0.4},
        "basis": {
            "type": "TensorProduct",
            "max_angular": 2,
            "radial": {"type": "Gto", "max_radial": 2},
        },
    }
    found = featomic.SphericalExpansion(**hypers).compute([STRUCTURES[0].to_ase()])
    with pytest.raises(InputError, match="keys o3_lambda, o3_sigma, center_type"):
        tensors_of(found)
    found = found.keys_to_properties("neighbor_type").keys_to_samples("center_type")
    tensors, samples = tensors_of(found)
    assert set(tensors) == {Irrep(l, 1) for l in range(3)}
    assert tensors[Irrep(2, 1)].shape == (STRUCTURES[0].n_atom, 5, 9)
    assert samples.shape[0] == STRUCTURES[0].n_atom


def test_samples_of_another_number():
    with pytest.raises(InputError, match="3 samples are named"):
        tensor_map(ATOMS(STRUCTURES)[1], np.zeros((3, 2), dtype=int))
