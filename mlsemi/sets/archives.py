"""Arrays in an npz file, read only if they are the ones that are expected.

An archive says of itself what it holds. Names and sizes are compared with what must be there
before anything is unpacked, so that a damaged or made-up file costs no memory; objects are never
unpickled.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.lib import format as npy

from mlsemi.errors import ParameterError

MOST_HEADER = 1024
"""Bytes before the numbers of an array."""


def read_arrays(
    path: str | os.PathLike[str], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Arrays of float64 of an archive that holds these and no others; they cannot be written.

    Parameters
    ----------
    path : path
        Written by ``numpy.savez`` or ``numpy.savez_compressed``.
    shapes : mapping
        Name and shape of every array.

    Raises
    ------
    ParameterError
        If an array is missing, unknown, or of another shape or type.
    """
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        if len(entries) < len(archive.infolist()):
            raise ParameterError("an array stands twice")
        for kind, names in (
            ("unknown", set(entries) - set(shapes)),
            ("no", set(shapes) - set(entries)),
        ):
            if names:
                raise ParameterError(f"{kind} array {', '.join(sorted(names))}")
        return {name: _array(archive, entry, shapes[name]) for name, entry in entries.items()}


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, shape: tuple[int, ...]) -> np.ndarray:
    size = 8 * prod(shape)
    name = entry.filename
    if not size < entry.file_size <= size + MOST_HEADER:
        raise ParameterError(f"{name} has {entry.file_size} bytes, need {size} for {shape}")
    with archive.open(entry) as stream:
        if npy.read_magic(stream) != (1, 0):
            raise ParameterError(f"{name} is not in version 1.0 of the format")
        found, by_column, dtype = npy.read_array_header_1_0(stream)
        if (found, dtype) != (shape, np.dtype("<f8")):
            raise ParameterError(f"{name} has shape {found} of {dtype}, need {shape} of float64")
        data = np.frombuffer(stream.read(size), dtype)
    out = data.reshape(shape, order="F" if by_column else "C")
    out = np.ascontiguousarray(out)
    out.setflags(write=False)
    return out
