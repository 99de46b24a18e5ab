"""Arrays of many records in one HDF5 file: a flat column for each field, and the shapes."""

from __future__ import annotations

from collections.abc import Iterable

import h5py
import numpy as np


def write_columns(file: h5py.File, rows: list[dict[str, np.ndarray]]) -> None:
    """One flat dataset per field plus the shape of each row's entry (missing: shape -1)."""
    names = sorted({name for row in rows for name in row})
    for name in names:
        present = [row.get(name) for row in rows]
        sample = next(value for value in present if value is not None)
        if sample.dtype.kind == "U":
            file.create_dataset(name, data=[str(v) for v in present], dtype=h5py.string_dtype())
            continue
        shapes = [v.shape if v is not None else (-1,) * sample.ndim for v in present]
        flat = np.concatenate([v.ravel() for v in present if v is not None])
        data = file.create_dataset(
            name, data=flat, compression="gzip", compression_opts=6, shuffle=True
        )
        data.attrs["ndim"] = sample.ndim
        if sample.ndim:
            file.create_dataset(
                f"{name}.shape", data=np.array(shapes, dtype=np.int32), compression="gzip"
            )


def read_columns(file: h5py.File) -> Iterable[dict[str, np.ndarray]]:
    """Inverse of :func:`write_columns`, one dictionary per record."""
    columns: dict[str, list[np.ndarray | None]] = {}
    for name, data in file.items():
        if name.endswith(".shape"):
            continue
        if h5py.check_string_dtype(data.dtype):
            columns[name] = [np.array(text) for text in data.asstr()[()]]
            continue
        flat = data[()]
        if not data.attrs["ndim"]:
            columns[name] = list(flat)
            continue
        column: list[np.ndarray | None] = []
        start = 0
        for shape in file[f"{name}.shape"][()]:
            if shape[0] < 0:
                column.append(None)
                continue
            size = int(np.prod(shape))
            column.append(flat[start : start + size].reshape(shape))
            start += size
        columns[name] = column
    for row in zip(*columns.values(), strict=True):
        yield {name: value for name, value in zip(columns, row, strict=True) if value is not None}
