"""Parts of a dataset: which records are trained on, which choose the epoch, which stay unseen.

What other methods say takes part if the molecule is one of training.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlsemi.errors import InputError, ParameterError
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import Reference, ReferenceDataset, part_of, split_of
from mlsemi.training.data.surfaces import Surface, load_surfaces
from mlsemi.training.fit.config import Excited, TrainConfig
from mlsemi.training.objective.auxiliary import SurfaceSet
from mlsemi.training.objective.close_levels import CloseSet
from mlsemi.training.objective.excitation_cases import triplet_shift_of, with_singlets
from mlsemi.training.objective.excited_levels import ExcitedSet
from mlsemi.training.objective.loss import Target
from mlsemi.training.objective.taught import TaughtSet

OtherSet = SurfaceSet | TaughtSet | CloseSet | ExcitedSet


class Parts(NamedTuple):
    """Records of one training run."""

    train: list[Reference]
    validation: list[Reference]
    test: list[Reference]


def parts_of(dataset: ReferenceDataset, config: TrainConfig) -> Parts:
    """Records that a run may use, by split.

    Raises
    ------
    ParameterError
        If there is nothing to train on or to validate with.
    """
    known = set(config.elements)
    usable = [r for r in dataset if set(r.structure.symbols) <= known]
    usable = frames_limited(usable, config.frames)
    found: dict[str, list[Reference]] = {name: [] for name in Parts._fields}
    for record in usable:
        found[part_of(record, config.split)].append(record)
    found["train"] = molecules_limited(found["train"], config.limit, config.seed)
    if not found["train"] or not found["validation"]:
        hint = "" if config.split == "frame" else '; split = "frame" divides frames instead'
        raise ParameterError(f"the dataset has no training or no validation molecules{hint}")
    return Parts(**found)


def other_methods(
    config: TrainConfig, base: Path, start: Parameters | None = None
) -> list[OtherSet]:
    """What other methods say of training molecules whose elements the model knows.

    Parameters
    ----------
    config : TrainConfig
    base : Path
        Folder that its file names are relative to.
    start : Parameters, optional
        What the run starts from: it gives the constants of the excited states.

    Raises
    ------
    InputError
        If there are surfaces but the energy does not read the features, or taught surfaces and
        it is more than a readout.
    ParameterError
        If a file is missing, is no such file, or holds nothing to train on.
    """
    if (config.auxiliary or config.taught) and not config.form().readout:
        raise InputError("surfaces need features that the energy reads")
    if config.taught and config.form().band:
        raise InputError("taught surfaces need an energy that is a readout alone")
    known = set(config.elements)
    sets: list[OtherSet] = []
    for number, table in enumerate(config.auxiliary):
        surfaces, checksum = _surfaces(base / table.file, known)
        sets.append(SurfaceSet(table.file, number, table.share, surfaces, checksum))
    for taught in config.taught:
        surfaces, checksum = _surfaces(base / taught.file, known)
        sets.append(TaughtSet(taught.file, taught.share, taught.weight, surfaces, checksum))
    for number, level in enumerate(config.close):
        dataset = ReferenceDataset.load(*(base / name for name in level.datasets))
        targets = [Target(r) for r in dataset if _is_taught(r, known)]
        name = ", ".join(level.datasets)
        if not targets:
            raise ParameterError(f"{name}: no record of a training molecule")
        sets.append(CloseSet(name, number, level.share, targets, dataset.checksum))
    return sets + [_excited_set(excited, base, known, start) for excited in config.excited]


def _surfaces(path: Path, known: set[str]) -> tuple[list[Surface], str]:
    """Surfaces of a file that may teach, and its checksum."""
    surfaces = [s for s in load_surfaces(path) if _is_taught(s, known)]
    if not surfaces:
        raise ParameterError(f"{path}: holds no surface of a training molecule")
    return surfaces, hashlib.sha256(path.read_bytes()).hexdigest()


def _excited_set(
    table: Excited, base: Path, known: set[str], start: Parameters | None
) -> ExcitedSet:
    name = ", ".join(table.datasets)
    if start is None:
        raise InputError(f'{name}: excited states need the constants of a set: start = "NAME"')
    if not start.calibrated:
        raise InputError(
            f"{name}: excited states need fitted constants, which the set {start.name} that the "
            "run starts from does not have: fit them first, as docs/training.md shows"
        )
    dataset = ReferenceDataset.load(*(base / file for file in table.datasets))
    usable = [with_singlets(r) for r in dataset if set(r.structure.symbols) <= known]
    usable = [r for r in usable if r.singlet_energies is not None]
    records, validation = ([r for r in usable if r.split == s] for s in ("train", "validation"))
    if not records:
        raise ParameterError(f"{name}: no training molecule with excited states")
    shift = triplet_shift_of(start)
    return ExcitedSet(
        name, table.share, records, validation, start.excitation, shift, dataset.checksum
    )


def _is_taught(entry: Surface | Reference, known: set[str]) -> bool:
    return split_of(entry.molecule) == "train" and set(entry.structure.symbols) <= known


def molecules_limited(records: list[Reference], limit: int, seed: int) -> list[Reference]:
    """All records of ``limit`` molecules drawn at random (0: everything)."""
    molecules = sorted({r.molecule for r in records})
    if not limit or limit >= len(molecules):
        return records
    chosen = set(np.random.default_rng(seed).permutation(molecules)[:limit].tolist())
    return [r for r in records if r.molecule in chosen]


def frames_limited(records: list[Reference], frames: int) -> list[Reference]:
    """The first ``frames`` records of each molecule (0: everything)."""
    seen: Counter[str] = Counter()
    out = []
    for record in records:
        seen[record.molecule] += 1
        if not frames or seen[record.molecule] <= frames:
            out.append(record)
    return out
