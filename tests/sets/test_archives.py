"""Arrays of an archive: those that are expected, or an error before anything is unpacked."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from mlsemi.errors import ParameterError
from mlsemi.sets.archives import read_arrays

ARRAYS = {"level": np.arange(8.0).reshape(4, 2), "lone": np.array(3.0), "empty": np.zeros((0, 3))}
SHAPES = {name: value.shape for name, value in ARRAYS.items()}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_is_saved_comes_back(tmp_path, save):
    path = tmp_path / "x.npz"
    save(path, **ARRAYS | {"level": np.asfortranarray(ARRAYS["level"])})
    found = read_arrays(path, SHAPES)
    assert set(found) == set(ARRAYS)
    for name, value in found.items():
        np.testing.assert_array_equal(value, ARRAYS[name])
        assert value.flags.c_contiguous
        assert not value.flags.writeable


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda w: w | {"more": np.zeros(3)}, "unknown array more"),
        (lambda w: w | {"level": w["level"].astype(np.float32)}, "level"),
        (lambda w: w | {"level": w["level"].astype(complex)}, "level"),
        (lambda w: w | {"level": w["level"].T.copy()}, r"need \(4, 2\)"),
        (lambda w: w | {"level": w["level"].astype(object)}, "level"),
        (lambda w: w | {"level": w["level"].view(np.int64)}, "float64"),
        (lambda w: w | {"level": w["level"].astype(">f8")}, "float64"),
        (lambda w: {k: v for k, v in w.items() if k != "level"}, "no array level"),
    ],
)
def test_other_names_shapes_and_types_are_refused(tmp_path, change, text):
    np.savez(tmp_path / "x.npz", **change(ARRAYS))
    with pytest.raises(ParameterError, match=text):
        read_arrays(tmp_path / "x.npz", SHAPES)


def test_sizes_are_compared_before_anything_is_unpacked(tmp_path):
    """A hundred megabytes of zeros in a hundred kilobytes, under a name that is expected."""
    np.savez_compressed(tmp_path / "x.npz", **ARRAYS | {"level": np.zeros(13 * 10**6)})
    tracemalloc.start()
    with pytest.raises(ParameterError, match=r"level\.npy has 104000128 bytes"):
        read_arrays(tmp_path / "x.npz", SHAPES)
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


def test_an_array_that_claims_more_than_the_archive_is_refused(tmp_path):
    claims = io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 2)}
    np.lib.format.write_array_header_1_0(claims, about)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("level.npy", claims.getvalue() + ARRAYS["level"].tobytes())
    with pytest.raises(ParameterError, match=r"level\.npy has shape \(1000000000000, 2\)"):
        read_arrays(tmp_path / "x.npz", {"level": (4, 2)})


def test_an_array_that_stands_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for name in ("level.npy", "level"):
            archive.writestr(name, b"")
    with pytest.raises(ParameterError, match="twice"):
        read_arrays(tmp_path / "x.npz", {"level": (4, 2)})
