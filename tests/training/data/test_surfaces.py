"""The file of energy surfaces: what is written is read again, what is damaged is one line."""

import re

import h5py
import numpy as np
import pytest
from teacher import random_surfaces

from mlsemi.errors import ParameterError
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.surfaces import DECIMALS, load_surfaces, save_surfaces


def surfaces():
    """Two molecules with energies, forces, charges and dipoles that no model has."""
    return random_surfaces(["A" * 14])


def test_file(tmp_path):
    path = tmp_path / "surfaces.h5"
    given = surfaces()
    save_surfaces(path, given)
    for one, two in zip(given, load_surfaces(path), strict=True):
        np.testing.assert_array_equal(one.structure.numbers, two.structure.numbers)
        kept = {name: 10.0**-digits for name, digits in DECIMALS.items()}
        np.testing.assert_allclose(
            one.structure.positions, two.structure.positions, rtol=0.0, atol=kept.pop("positions")
        )
        for name, step in kept.items():
            np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0.0, atol=step)
        assert (one.energy, one.molecule) == (two.energy, two.molecule)
    path.write_bytes(b"no HDF5")
    with pytest.raises(ParameterError, match=re.escape(f"{path}: not a file of auxiliary")):
        load_surfaces(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("energy", np.full(2, np.nan)),
        ("energy", np.zeros(1)),
        ("forces", np.zeros((3, 3))),
        ("numbers", np.full(9, 26)),
        ("size", np.array([1, 1])),
        ("molecule", np.arange(2)),
        ("molecule", np.array([b"\xff", b"\xff"])),
    ],
)
def test_damaged_files_are_one_line(tmp_path, name, value):
    path = tmp_path / "surfaces.h5"
    save_surfaces(path, surfaces())
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = value
    with pytest.raises(ParameterError, match=r"surfaces\.h5: .") as caught:
        load_surfaces(path)
    assert "\n" not in str(caught.value)


def test_charge_and_spin_come_back(tmp_path):
    """Files of neutral closed shells stay as they were."""
    plain, changed = surfaces()
    ion = Structure(changed.structure.numbers, changed.structure.positions, 1, 2)
    save_surfaces(tmp_path / "ions.h5", [plain, changed._replace(structure=ion)])
    back = [s.structure for s in load_surfaces(tmp_path / "ions.h5")]
    assert [(s.charge, s.multiplicity) for s in back] == [(0, 1), (1, 2)]
    save_surfaces(tmp_path / "plain.h5", [plain])
    with h5py.File(tmp_path / "plain.h5") as file:
        assert not {"charge", "multiplicity"} & set(file)
