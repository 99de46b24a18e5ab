"""Parameter sets on disk: the same set comes back, and any damage is one line of error."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, replace

import numpy as np
import pytest
from ase.build import molecule
from molecules import SMALL, distorted, parameters_of, random_model

from mlsemi.calculator import MLSemi
from mlsemi.errors import InputError, ParameterError
from mlsemi.evaluate import singlepoint
from mlsemi.model.catalogue import shapes_of
from mlsemi.model.committee import Calibration, Committee
from mlsemi.model.model import Model
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters, checksum_of
from mlsemi.sets.header import FORMAT, sealed
from mlsemi.sets.releases import DEFAULT, available, check_unreleased


@pytest.fixture(scope="module")
def original():
    return parameters_of(random_model(seed=9), name="tried")


@pytest.fixture
def saved(original, tmp_path):
    original.save(tmp_path / "tried")
    return tmp_path / "tried"


def refused(path):
    """The one line with which a set is refused."""
    with pytest.raises(ParameterError) as caught:
        Parameters.load(path)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


def test_round_trip(original, saved):
    loaded = Parameters.load(saved)
    assert loaded.name == "tried"
    assert loaded.model.form == original.model.form
    assert loaded.checksum == original.checksum == checksum_of(loaded.model.weights)
    assert loaded.elements == ("H", "C", "N", "O")
    assert loaded.header["reference"] == original.header["reference"]
    assert set(loaded.model.weights) == set(shapes_of(SMALL))
    for name, value in loaded.model.weights.items():
        np.testing.assert_array_equal(value, original.model.weights[name])
        assert not value.flags.writeable
    assert sorted(p.name for p in saved.iterdir()) == ["header.json", "weights.npz"]


@pytest.fixture
def with_committee(original, tmp_path):
    shape = (len(SMALL.elements), 1 + SMALL.n_invariant, 3, 2)
    shifts = np.random.default_rng(0).normal(size=shape)
    committee = Committee(shifts, {"homo": Calibration(2.5, 0.1)}, np.ones(shape[0]))
    original.with_committee(committee, {"seed": 4}).save(tmp_path / "certain")
    return tmp_path / "certain"


def test_committee_comes_back(original, with_committee):
    loaded = Parameters.load(with_committee)
    assert loaded.checksum == original.checksum
    assert loaded.committee.calibration == {"homo": Calibration(2.5, 0.1)}
    assert loaded.header["committee"]["seed"] == 4
    assert loaded.committee.shifts.shape[3] == loaded.committee.n_member == 2
    loaded.save(with_committee)
    assert Parameters.load(with_committee).committee.checksum == loaded.committee.checksum


def test_without_a_committee_there_is_none(saved, with_committee):
    assert Parameters.load(saved).committee is None
    Parameters.load(saved).save(with_committee)
    assert not (with_committee / "committee.npz").exists()
    assert Parameters.load(with_committee).committee is None


def test_damaged_committees_are_refused(with_committee):
    header = json.loads((with_committee / "header.json").read_text())
    entry = header["committee"]
    pair = {"factor": 2.4, "floor": 0.1}
    for committee, text in (
        (entry | {"calibration": {"homo": pair}}, "checksum of the committee"),
        (entry | {"calibration": {"hommo": pair}}, "unknown entry 'hommo'"),
        (entry | {"calibration": {"homo": {"factor": 2.4}}}, "no entry 'floor'"),
        (entry | {"calibration": {"homo": pair | {"flor": 1}}}, "unknown entry 'flor'"),
        (entry | {"calibration": {"homo": pair | {"floor": -0.1}}}, "not negative"),
        (entry | {"calibration": {"homo": pair | {"floor": float("nan")}}}, "not negative"),
        (entry | {"calibration": {"homo": pair | {"floor": "0.1"}}}, "not negative"),
        (entry | {"calibration": 3}, "need a table"),
        (entry | {"members": 3}, "does not fit the form"),
        (entry | {"members": 10**12}, "does not fit the form"),
        (entry | {"members": 0}, "members = 0"),
        ([1, 2], "committee"),
    ):
        edited(with_committee, committee=committee)
        assert text in refused(with_committee)
    edited(with_committee, committee=entry)
    data = (with_committee / "committee.npz").read_bytes()
    (with_committee / "committee.npz").write_bytes(data[: len(data) // 2])
    assert "cannot be read" in refused(with_committee)
    (with_committee / "committee.npz").unlink()
    assert "cannot be read" in refused(with_committee)


def test_committee_of_another_form_is_refused(original, tmp_path):
    committee = Committee(np.ones((2, 3, 3, 1)), {}, np.ones(2))
    original.with_committee(committee, {}).save(tmp_path / "other")
    assert "committee.npz does not fit the form" in refused(tmp_path / "other")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_committee_that_is_not_finite_is_refused(original, tmp_path, value):
    shape = (len(SMALL.elements), 1 + SMALL.n_invariant, 3, 2)
    original.with_committee(Committee(np.full(shape, value), {}, np.ones(4)), {}).save(tmp_path)
    assert "not finite" in refused(tmp_path)


def test_saving_again_gives_the_same_weights(saved, tmp_path):
    Parameters.load(saved).save(tmp_path / "again")
    one, two = (np.load(p / "weights.npz") for p in (saved, tmp_path / "again"))
    with one, two:
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name])
    assert Parameters.load(tmp_path / "again").checksum == Parameters.load(saved).checksum


def test_checksum_sees_names_shapes_and_values(original):
    weights = dict(original.model.weights)
    before = checksum_of(weights)
    assert checksum_of(dict(reversed(weights.items()))) == before
    changed = weights["level"].copy()
    changed[0, 0] = np.nextafter(changed[0, 0], 1.0)
    assert checksum_of(weights | {"level": changed}) != before
    assert checksum_of(weights | {"level": weights["level"].reshape(2, -1)}) != before
    renamed = {f"{name}x" if name == "level" else name: v for name, v in weights.items()}
    assert checksum_of(renamed) != before


def test_a_changed_weight_is_noticed(original, saved):
    weights = {name: np.array(value) for name, value in original.model.weights.items()}
    raw = weights["two_center"].view(np.uint8)
    raw.flat[11] ^= 1
    np.savez(saved / "weights.npz", **weights)
    assert "corrupted" in refused(saved)


def test_a_flipped_byte_anywhere_is_noticed(original, saved, tmp_path):
    """Wherever the byte is: an error of one line, or (in the zip's margins) the same weights."""
    data = bytearray((saved / "weights.npz").read_bytes())
    rng = np.random.default_rng(0)
    header, tail = range(0, 400, 7), range(len(data) - 400, len(data), 7)
    positions = [*header, *tail, *rng.integers(0, len(data), 60).tolist()]
    lines = []
    for index, position in enumerate(positions):
        broken = tmp_path / f"broken{index}"
        shutil.copytree(saved, broken)
        changed = data.copy()
        changed[position] ^= 1 << int(rng.integers(8))
        (broken / "weights.npz").write_bytes(changed)
        try:
            loaded = Parameters.load(broken)
        except ParameterError as error:
            lines.append(str(error))
            continue
        assert checksum_of(loaded.model.weights) == original.checksum
    assert len(lines) > 0.7 * len(positions)
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_truncated_weights(saved, kept):
    path = saved / "weights.npz"
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    assert "cannot be read" in refused(saved)


def test_missing_weights(saved):
    (saved / "weights.npz").unlink()
    assert "cannot be read" in refused(saved)


def test_weights_of_another_form(saved):
    with np.load(saved / "weights.npz") as data:
        weights = {name: data[name] for name in data.files if name != "charge"}
    np.savez(saved / "weights.npz", **weights)
    assert "do not fit the form" in refused(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["level", "two_center", "domain.center", "domain.spread"])
def test_weights_that_are_not_finite(original, tmp_path, name, value):
    weights = dict(original.model.weights)
    changed = np.array(weights[name])
    changed.flat[0] = value
    model = Model(original.model.form, weights | {name: changed})
    parameters_of(model).save(tmp_path)
    if (name, value) == ("domain.spread", np.inf):
        assert Parameters.load(tmp_path).checksum, "an element without training atoms"
    else:
        assert f"weights {name} are not finite" in refused(tmp_path)


def test_missing_header(saved):
    (saved / "header.json").unlink()
    text = refused(saved)
    assert "no parameter set" in text
    assert str(saved) in text


def edited(saved, **changes):
    """Change entries of the header (None: remove) and seal it again where that can be done."""
    header = json.loads((saved / "header.json").read_text()) | changes
    header = {key: value for key, value in header.items() if value is not None}
    with suppress(ParameterError):
        header = sealed(header)
    (saved / "header.json").write_text(json.dumps(header))


def form_with(**changes):
    form = {k: v for k, v in asdict(SMALL).items() if k != "elements"} | changes
    return {"form": {key: value for key, value in form.items() if value is not None}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": "mlsemi-parameters-0"}, FORMAT),
        ({"format": None}, FORMAT),
        ({"form": None}, "no entry 'form'"),
        ({"form": [1]}, "need a table"),
        (form_with(n_radial="many"), "n_radial = 'many'"),
        (form_with(n_radial=-3), "n_radial = -3"),
        (form_with(n_radial=2.5), "n_radial = 2.5"),
        (form_with(n_radial=True), "n_radial = True"),
        (form_with(n_radial=5), "do not fit the form"),
        (form_with(n_channel=10**15), "do not fit the form"),
        (form_with(cutoff=0.0), "cutoff = 0.0"),
        (form_with(cutoff=-1.0), "cutoff = -1.0"),
        (form_with(cutoff=float("nan")), "cutoff = nan"),
        (form_with(cutoff=float("inf")), "cutoff = inf"),
        (form_with(cutoff="11.3"), "cutoff = '11.3'"),
        (form_with(cutoff=None), "no entry 'cutoff'"),
        (form_with(cutof=11.3), "unknown entry 'cutof'"),
        (form_with(long_range=1), "long_range = 1"),
        (form_with(long_range=False), "do not fit the form"),
        (form_with(kind="linear"), "do not fit the form"),
        (form_with(kind="cubic"), "kind = 'cubic'"),
        (form_with(nu=4), "nu = 4"),
        (form_with(energy="bands"), "energy = 'bands'"),
        ({"elements": None}, "no entry 'elements'"),
        ({"elements": "HCNO"}, "need a list"),
        ({"elements": []}, "elements must be"),
        ({"elements": ["H", "C", "N", "N"]}, "each once"),
        ({"elements": ["H", "Xy", "N", "O"]}, "'Xy'"),
        ({"elements": ["H", "Fe", "N", "O"]}, "Fe has no valence basis"),
        ({"elements": ["H", "C"]}, "do not fit the form"),
        ({"name": None}, "no entry 'name'"),
        ({"name": 3}, "name = 3"),
        ({"units": "eV, angstrom"}, "units = 'eV, angstrom'"),
        ({"checksum": "0" * 64}, "corrupted"),
        ({"checksum": None}, "no entry 'checksum'"),
        ({"licens": "MIT"}, "unknown entry 'licens'"),
        ({"excitation": {}}, "corrupted"),
        ({"excitation_fit": {}}, "together"),
    ],
)
def test_damaged_header(saved, changes, text):
    """Even if whoever changed it has sealed it again."""
    edited(saved, **changes)
    assert text in refused(saved)


def test_a_header_without_a_seal_is_refused(saved):
    header = json.loads((saved / "header.json").read_text())
    header.pop("seal")
    (saved / "header.json").write_text(json.dumps(header))
    assert "no entry 'seal'" in refused(saved)
    (saved / "header.json").write_text(json.dumps(header | {"seal": 3}))
    assert "seal" in refused(saved)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b"3", b"null"])
def test_header_that_is_no_json_object(saved, content):
    (saved / "header.json").write_bytes(content)
    refused(saved)


def test_a_header_edited_after_loading_is_read_again(saved):
    Parameters.load(saved)
    edited(saved, format="other")
    stamp = (saved / "header.json").stat().st_mtime_ns + 10**9
    os.utime(saved / "header.json", ns=(stamp, stamp))
    assert FORMAT in refused(saved)


@pytest.mark.parametrize("name", ["organic-99", "", "../..", "no/such/folder", "a\0b", "x" * 5000])
def test_unknown_names(name):
    text = refused(name)
    assert all(known in text for known in available())


def test_loading_twice_is_free(saved):
    assert Parameters.load(saved) is Parameters.load(str(saved))


def test_elements_are_checked(original):
    original.check(distorted("CH3NO2"))
    with pytest.raises(InputError, match=r"atom 1: element S is not in .*tried.*H C N O"):
        original.check(Structure([1, 16, 1], 2.6 * np.eye(3)))


@pytest.mark.parametrize("symbol", ["S", "P", "Fe"])
def test_the_elements_that_are_named_are_those_of_the_set(original, tmp_path, symbol):
    """Whether an element has a valence basis or not, and through every door."""
    atoms = molecule("PH3" if symbol == "P" else "SH2")
    atoms.symbols[0] = symbol
    path = tmp_path / "some.xyz"
    atoms.write(path)
    calculator = MLSemi(parameters=original)
    for ask in (
        lambda: singlepoint(atoms, parameters=original),
        lambda: singlepoint(path, parameters=original),
        lambda: calculator.get_potential_energy(atoms),
    ):
        with pytest.raises(InputError, match=rf"atom 0: element {symbol} ") as caught:
            ask()
        assert str(caught.value).rstrip(")").endswith("trained for H C N O")
        assert "tried" in str(caught.value)


@pytest.mark.parametrize(("number", "symbol"), [(5, "B"), (14, "Si"), (34, "Se"), (53, "I")])
def test_the_released_set_refuses_elements_it_has_not_seen(number, symbol):
    released = Parameters.load("organic-1.0")
    bent = Structure([1, number, 8, 1], 2.8 * np.eye(4)[:, :3], number % 2)
    with pytest.raises(InputError, match=f"^atom 1: element {symbol} is not in .*organic-1.0 "):
        released.check(bent)


def test_a_name_without_minor_version_means_its_latest(tmp_path, monkeypatch):
    """By number, not by letter; an exact name or a path comes first, and others do not count."""
    monkeypatch.setattr("mlsemi.sets.releases.folder", lambda: tmp_path)
    given = parameters_of(random_model())
    for name in ("mine-1.2", "mine-1.10", "mine-1.x", "mine-10.99", "other-1.11"):
        replace(given, name=name).save(tmp_path / name)
    assert Parameters.load("mine-1").name == "mine-1.10"
    assert Parameters.load("mine-1.2").name == "mine-1.2"
    for name in ("mine", "mine-2", "mine-1.", "mine-1.1"):
        with pytest.raises(ParameterError, match="no parameter set"):
            Parameters.load(name)
    replace(given, name="exact").save(tmp_path / "mine-1")
    assert Parameters.load("mine-1").name == "exact"


def test_a_version_is_not_written_over(tmp_path):
    for name in ("mine-1.0", "mine-1"):
        check_unreleased(tmp_path / name)
        parameters_of(random_model()).save(tmp_path / name)
    check_unreleased(tmp_path / "mine-1")
    with pytest.raises(ParameterError, match="never overwritten"):
        check_unreleased(tmp_path / "mine-1.0")


def test_released_sets_are_complete():
    """Every released set loads, says where it comes from, and is licensed."""
    assert Parameters.load(DEFAULT).name in available()
    for name in available():
        parameters = Parameters.load(name)
        assert parameters.name == name
        for key in ("reference", "units", "licence", "training", "errors", "checksum"):
            assert parameters.header[key], f"{name}: no {key}"
