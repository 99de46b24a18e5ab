"""Dataset file: what goes in comes out, damage is noticed, splits do not move."""

import dataclasses
import json

import h5py
import numpy as np
import pytest

from mlsemi.errors import ParameterError
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.dataset import SPLITS, Reference, ReferenceDataset, split_of

WATER = np.array([[0.0, 0.0, 0.2], [0.0, 1.4, -0.9], [0.0, -1.4, -0.9]])


def record(label: str, seed: int, forces: bool = False) -> Reference:
    """Water-shaped record with random contents and 5 + ``seed`` stored orbitals."""
    rng = np.random.default_rng(seed)
    n_mo = 5 + seed
    frame = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    half = rng.normal(size=(3, 6, 6))
    amplitudes = np.hstack([np.zeros((6, 1)), frame, rng.normal(size=(6, seed))])[:, :n_mo]
    return Reference(
        structure=Structure([8, 1, 1], WATER + 0.01 * rng.normal(size=(3, 3))),
        molecule=label,
        label=label,
        origin="made up",
        energy=-76.0 - seed / 7,
        orbital_energies=np.sort(rng.normal(size=n_mo)),
        amplitudes=amplitudes.astype(np.float32).astype(np.float64),
        dipole=rng.normal(size=3),
        quadrupole=rng.normal(size=(3, 3)),
        dipole_matrix=(half + half.transpose(0, 2, 1)).astype(np.float32).astype(np.float64),
        charges_lowdin=rng.normal(size=3),
        forces=rng.normal(size=(3, 3)) if forces else None,
        ris_transitions=rng.normal(size=(2, 6, 6)).astype(np.float16).astype(np.float64),
    )


@pytest.fixture
def dataset():
    records = (record("A-1", 3), record("B-1", 5, forces=True), record("A-2", 4))
    return ReferenceDataset(records, {"method": "none", "seeds": [1, 2]})


def test_round_trip(dataset, tmp_path):
    path = tmp_path / "data.h5"
    dataset.save(path)
    back = ReferenceDataset.load(path)
    assert back.checksum == dataset.checksum
    assert back.provenance == dataset.provenance
    assert list(tmp_path.iterdir()) == [path]
    for old, new in zip(dataset, back, strict=True):
        for field in dataclasses.fields(Reference):
            if field.name == "structure":
                np.testing.assert_array_equal(new.structure.numbers, old.structure.numbers)
                np.testing.assert_array_equal(new.structure.positions, old.structure.positions)
                assert new.structure.charge == old.structure.charge
                continue
            expected, value = getattr(old, field.name), getattr(new, field.name)
            if isinstance(expected, np.ndarray):
                np.testing.assert_array_equal(value, expected, err_msg=field.name)
            else:
                assert value == expected, field.name


def test_saving_twice_gives_the_same_bytes(dataset, tmp_path):
    first, second = tmp_path / "first.h5", tmp_path / "second.h5"
    dataset.save(first)
    ReferenceDataset.load(first).save(second)
    assert first.read_bytes() == second.read_bytes()


def test_one_flipped_byte_is_noticed(dataset, tmp_path):
    path = tmp_path / "data.h5"
    dataset.save(path)
    with h5py.File(path, "r+") as file:
        raw = file["positions"][()].view(np.uint8)
        raw[17] ^= 1
        file["positions"][...] = raw.view(np.float64)
    with pytest.raises(ParameterError, match="corrupted"):
        ReferenceDataset.load(path)
    assert len(ReferenceDataset.load(path, verify=False)) == 3


@pytest.mark.parametrize("damage", ["truncated", "text", "other", "missing"])
def test_files_that_are_no_dataset(dataset, tmp_path, damage):
    path = tmp_path / "data.h5"
    dataset.save(path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:3000])
    elif damage == "text":
        path.write_text("not HDF5")
    elif damage == "other":
        with h5py.File(path, "w") as file:
            file["x"] = 1
    else:
        path.unlink()
    with pytest.raises(ParameterError, match=r"data\.h5"):
        ReferenceDataset.load(path)


def test_a_changed_functional_is_noticed(dataset, tmp_path):
    """Dispersion follows it. The first files have no seal, and are read as they are."""
    path = tmp_path / "data.h5"
    ReferenceDataset(dataset.records, {"level": {"method": "b3lyp"}}).save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["provenance"] = file.attrs["provenance"].replace("b3lyp", "b1lyp")
    with pytest.raises(ParameterError, match=r"data\.h5: provenance .* corrupted"):
        ReferenceDataset.load(path)
    with h5py.File(path, "r+") as file:
        del file.attrs["seal"]
    assert len(ReferenceDataset.load(path)) == 3


@pytest.mark.parametrize("field", ["energy", "amplitudes", "forces", "ris_transitions"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(dataset, tmp_path, field, value):
    one = dataset[1]
    wrong = value if field == "energy" else np.full_like(getattr(one, field), value)
    records = (dataset[0], dataclasses.replace(one, **{field: wrong}))
    ReferenceDataset(records).save(tmp_path / "data.h5")
    with pytest.raises(ParameterError, match=rf"data\.h5: record 1: {field} is not finite"):
        ReferenceDataset.load(tmp_path / "data.h5")


def _renamed(file):
    file.move("forces", "forcs")


def _as_group(file):
    del file["energy"]
    file.create_group("energy")


def _as(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def _attribute(name, value):
    return lambda file: file.attrs.update({name: value})


@pytest.mark.parametrize(
    "change",
    [
        _renamed,
        _as_group,
        _as("energy", np.zeros(2)),
        _as("energy", "words"),
        _as("numbers", np.full(9, 26, np.int16)),
        _as("positions.shape", np.full((3, 2), 10**9, np.int32)),
        _as("positions.shape", np.full((3, 2), -7, np.int32)),
        _as("charge", np.array([0.5, np.nan, 1.0])),
        _as("molecule", np.arange(3)),
        _attribute("format", 3),
        _attribute("provenance", 3),
        _attribute("provenance", "{"),
        _attribute("provenance", "[1, 2]"),
        _attribute("provenance", "3"),
        _attribute("checksum", np.arange(3)),
        _attribute("seal", np.arange(3)),
    ],
)
def test_other_types_and_names_are_one_line(dataset, tmp_path, change):
    path = tmp_path / "data.h5"
    dataset.save(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ParameterError, match=r"data\.h5: .") as caught:
        ReferenceDataset.load(path)
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_anywhere_is_noticed_or_nothing(dataset, tmp_path):
    dataset.save(tmp_path / "data.h5")
    data, path = (tmp_path / "data.h5").read_bytes(), tmp_path / "flipped.h5"
    for position in np.random.default_rng(0).integers(0, len(data), 60):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            found = ReferenceDataset.load(path)
        except ParameterError:
            continue
        assert (found.checksum, found.provenance) == (dataset.checksum, dataset.provenance)


def test_several_files_are_joined(dataset, tmp_path):
    dataset.save(tmp_path / "a.h5")
    ReferenceDataset((record("C-1", 6),), {"method": "other"}).save(tmp_path / "b.h5")
    both = ReferenceDataset.load(tmp_path / "a.h5", tmp_path / "b.h5")
    assert [r.label for r in both] == ["A-1", "B-1", "A-2", "C-1"]
    assert both.provenance["method"] == "none"


def test_splits_are_a_partition_by_molecule(dataset):
    assert sum(len(dataset.split(name)) for name in SPLITS) == len(dataset)
    assert dataset.molecules == ("A-1", "A-2", "B-1")
    assert dataset[0].split == dataset[2].split, "stereoisomers share the first block"


def test_split_never_moves():
    """Frozen: a change here would mix training and test molecules of released datasets."""
    frozen = {
        "UHOVQNZJYSORNB-UHFFFAOYSA-N": "validation",
        "XLYOFNOQVPJJNP-UHFFFAOYSA-N": "train",
        "VNWKTOKETHGBQD-UHFFFAOYSA-N": "test",
    }
    assert {key: split_of(key) for key in frozen} == frozen
    share = [split_of(f"MOLECULE{i}-X") for i in range(4000)]
    assert share.count("train") / 4000 == pytest.approx(0.8, abs=0.03)
    assert share.count("test") / 4000 == pytest.approx(0.1, abs=0.03)


def test_derived_quantities(dataset):
    water = dataset[0]
    assert (water.n_core, water.n_occupied) == (1, 4)
    assert water.energies.size == water.orbital_energies.size - 1
    assert np.trace(water.density) == pytest.approx(8.0, abs=1e-5)
    assert water.charges.sum() == pytest.approx(0.0, abs=1e-5)
    assert json.dumps(dataset.provenance)
