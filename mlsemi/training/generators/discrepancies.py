"""What files hold otherwise than their manifest says: ``mlsemi reference --from FILE --check``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from mlsemi.errors import MlsemiError
from mlsemi.training.data.exclusion import read_hashes
from mlsemi.training.data.surfaces import load_surfaces
from mlsemi.training.generators.manifest import GivenFile, Manifest
from mlsemi.training.generators.surface_lists import SurfaceFile
from mlsemi.training.reference.inputs import ReferenceFile

NAMES = ("method", "basis", "grid", "forces", "excitations", "ris", "seed", "stretches",
         "contacts", "collisions", "counterpoise", "lean")  # fmt: skip
"""Entries of a :class:`ReferenceFile` that stand in the provenance of its file."""


def check_all(path: Path, wanted: Sequence[str], tell: Callable[[str], None]) -> None:
    """Tell of every file of a manifest whether it is there and holds what the manifest says.

    Parameters
    ----------
    path : Path
        The manifest.
    wanted : sequence of str
        Only these files and what they need.
    tell : callable
        Of one line.
    """
    manifest, folder = Manifest.load(path), path.resolve().parent
    excluded = read_hashes(folder / manifest.exclude if manifest.exclude else None)
    for entry in manifest.ordered(wanted):
        if not (folder / entry.path).exists():
            lines = ["missing"]
        elif isinstance(entry, GivenFile):
            lines = [f"given: {entry.why}"]
        elif isinstance(entry, ReferenceFile):
            lines = differences(folder, entry, excluded)
        else:
            lines = surface_differences(folder, entry, excluded)
        tell(f"{entry.path}: {'; '.join(lines) or 'as the manifest says'}")


def differences(
    folder: Path, entry: ReferenceFile, excluded: frozenset[str] = frozenset()
) -> list[str]:
    """What the dataset of an entry holds otherwise than the manifest says; nothing is computed.

    Parameters
    ----------
    folder : Path
        Of the manifest.
    entry : ReferenceFile
    excluded : frozenset of str
        sha256(InChIKey) of molecules to leave out.

    Returns
    -------
    list of str
        One line each: another level or sampling, records that no job makes. Jobs without a record
        are failures or were not reached; they are told with their number.
    """
    with h5py.File(folder / entry.path, "r") as file:
        about: dict[str, Any] = json.loads(file.attrs["provenance"])
        labels = set(file["label"].asstr()[()])
        lean = "dipole_matrix" not in file  # older files do not say so
    usual = {name: ReferenceFile.__dataclass_fields__[name].default for name in NAMES}
    stored = usual | about["level"] | about["sampling"] | {"lean": lean}
    names = NAMES if entry.temperatures is None else (*NAMES, "temperatures")
    out = _otherwise(stored, entry, names)
    try:
        jobs = entry.within(folder).jobs(frozenset() if entry.testing else excluded)
    except MlsemiError as error:
        return [*out, str(error)]
    made = {job.label for job in jobs}
    if strange := labels - made:
        out.append(f"{len(strange)} records that no job makes, as {min(strange)}")
    if missing := made - labels:
        out.append(f"{len(missing)} of {len(made)} jobs without a record")
    return out


def surface_differences(
    folder: Path, entry: SurfaceFile, excluded: frozenset[str] = frozenset()
) -> list[str]:
    """What a file of surfaces holds otherwise than the manifest says; nothing is computed.

    Parameters
    ----------
    folder : Path
        Of the manifest.
    entry : SurfaceFile
    excluded : frozenset of str
        sha256(InChIKey) of molecules to leave out.

    Returns
    -------
    list of str
        One line each: another origin, level or seed, molecules that are not asked for.
    """
    try:
        found = {surface.molecule for surface in load_surfaces(folder / entry.path)}
        with h5py.File(folder / entry.path, "r") as file:
            about: dict[str, Any] = json.loads(file.attrs.get("provenance", "{}"))
        wanted = {molecule for _, molecule in entry.within(folder).molecules(excluded)}
    except MlsemiError as error:
        return [str(error)]
    if not about:
        out = ["how it was made does not stand in the file"]
    else:
        by = next((name for name in ("dynamics", "breaking") if name in about), "")
        level = about["breaking"] if by == "breaking" else {}
        stored = {"by": by or "relaxations", "seed": about.get("seed"), **level}
        names = [name for name in ("by", "seed", "method", "basis", "grid") if name in stored]
        out = _otherwise(stored, entry, names)
    if strange := found - wanted:
        out.append(f"{len(strange)} molecules that are not asked for, as {min(strange)}")
    return out


def _otherwise(stored: Mapping[str, Any], entry: object, names: Iterable[str]) -> list[str]:
    """Entries that are others in the file."""
    out = []
    for name in names:
        value, there = getattr(entry, name), stored[name]
        if there != (list(value) if isinstance(value, tuple) else value):
            out.append(f"{name}: {there} in the file, {value} in the manifest")
    return out
