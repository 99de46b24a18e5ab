"""The sources of a recipe in memory: which entries train, choose the epoch, stay unseen.

The split follows from the molecule. Of every source but the first, training molecules teach; those
of validation help choose the epoch where the head is the model's own.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple, TypeVar

import h5py
import numpy as np

from mlsemi.errors import InputError, ParameterError
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.molecule.elements import symbol
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import (
    Reference,
    ReferenceDataset,
    part_of,
    split_of,
)
from mlsemi.training.data.exclusion import is_excluded, read_hashes
from mlsemi.training.data.surfaces import Surface, holds_surfaces, load_surfaces
from mlsemi.training.data.vertical import Vertical, load_vertical
from mlsemi.training.fit.recipe import FITS, Recipe, SourceTable
from mlsemi.training.objective.excitation_cases import with_singlets
from mlsemi.training.objective.force_matching import has_response
from mlsemi.training.objective.heads import Head
from mlsemi.training.objective.loss import GROUND_STATE, ORBITAL, WITHOUT_ORBITALS
from mlsemi.training.objective.source import Source
from mlsemi.units import HARTREE_EV

Entry = Reference | Surface
Some = TypeVar("Some", Reference, Surface)


@dataclass(frozen=True, eq=False)
class Data:
    """One source of a recipe, loaded.

    Attributes
    ----------
    table : SourceTable
    head : Head
    targets : frozenset of str
        With the default filled in.
    entries : list of Reference or of Surface
        Those that hold what the targets need, of elements that the model knows, of every split.
    dataset : ReferenceDataset
        All records of the files, empty of surfaces.
    checksum : str
        Of the files together.
    opened : tuple of Vertical
        Open shells of its files ``.json``, where the response is fitted to it.
    """

    table: SourceTable
    head: Head
    targets: frozenset[str]
    entries: list[Reference] | list[Surface]
    dataset: ReferenceDataset
    checksum: str
    opened: tuple[Vertical, ...] = ()

    def source(self, stage: int, constants: ExcitationParameters | None) -> Source | None:
        """What takes part in a stage, counted from 0; None where the share is zero.

        Parameters
        ----------
        stage : int
        constants : ExcitationParameters or None
            Of the set that the stage starts from.

        Raises
        ------
        ParameterError
            If no entry is of a training molecule.
        InputError
            If excitations are a target and there are no constants.
        """
        share, targets = self.table.at("share", stage), self.targets - FITS
        if not any(share) or not targets:
            return None
        if "excitations" in targets and constants is None:
            raise InputError(
                f"{self.table.name}: excitations teach from the second stage on, or a set that the "
                'run starts from, and need its fitted constants: targets = ["constants"] of a '
                "source"
            )
        sides = {side: _of_split(self.entries, side) for side in ("train", "validation")}
        if not sides["train"]:
            raise ParameterError(f"{self.table.name}: nothing of a training molecule")
        return Source(
            self.head,
            targets,
            sides["train"],
            sides["validation"] if self.head.kind == "model" else [],
            share,
            self.table.at("weight", stage),
            constants,
            self.table.triplet_shift / HARTREE_EV,
        )


class Parts(NamedTuple):
    """Records of the first source, by split."""

    train: list[Reference]
    validation: list[Reference]
    test: list[Reference]


def load_sources(recipe: Recipe, base: Path) -> tuple[Recipe, list[Data]]:
    """Everything that a recipe names, and the recipe with its elements filled in.

    Parameters
    ----------
    recipe : Recipe
    base : Path
        Folder that its file names are relative to.

    Raises
    ------
    InputError
        If a file does not hold what the recipe asks for.
    ParameterError
        Naming every file that is missing, or one that cannot be read.
    """
    files = [base / name for table in recipe.source for name in table.files]
    missing = sorted({str(path) for path in files if not path.is_file()})
    if missing:
        raise ParameterError(
            f"{len(missing)} files of the recipe are not there: {', '.join(missing)}"
        )
    recipe = with_form_of_start(recipe, set_to_start_from(recipe, base))
    if not recipe.elements:
        first = ReferenceDataset.load(*(base / name for name in recipe.source[0].files))
        numbers = {z for record in first for z in record.structure.numbers.tolist()}
        recipe = recipe.changed(elements=tuple(symbol(z) for z in sorted(numbers)))
    excluded = read_hashes(base / recipe.exclude if recipe.exclude else None)
    numbered: Counter[str] = Counter()
    loaded = []
    for table in recipe.source:
        head = Head(table.head, numbered[table.head])
        numbered[table.head] += 1
        if head.kind == "own" and not recipe.form().readout:
            raise InputError(
                f"{table.name}: a readout of its own needs an energy that reads the features"
            )
        if "multipoles" in table.targets and not recipe.form().bonded:
            raise InputError(f"{table.name}: multipoles are those of a form with bonded = true")
        loaded.append(_load(table, head, base, set(recipe.elements), excluded))
    return recipe, loaded


def set_to_start_from(recipe: Recipe, base: Path) -> Parameters | None:
    """The parameter set that a recipe starts from, as it was released; None from scratch.

    Raises
    ------
    ParameterError
        If there is no such set.
    """
    if not recipe.start:
        return None
    folder = base / recipe.start
    return Parameters.load(folder if folder.is_dir() else recipe.start)


def with_form_of_start(recipe: Recipe, start: Parameters | None) -> Recipe:
    """The recipe with elements and sizes of the set that it starts from, where it names none."""
    if start is None:
        return recipe
    form = start.model.form
    usual = ModelForm(form.elements)
    sizes = {
        entry.name: getattr(form, entry.name)
        for entry in fields(form)
        if getattr(form, entry.name) != getattr(usual, entry.name)
    }
    elements = recipe.elements or tuple(map(symbol, form.elements))
    return recipe.changed(elements=elements, model=sizes | recipe.model)


def _load(
    table: SourceTable, head: Head, base: Path, known: set[str], excluded: frozenset[str]
) -> Data:
    """One source."""
    paths = [base / name for name in table.files]
    beside = [path for path in paths if path.suffix == ".json" and "response" in table.targets]
    paths = [path for path in paths if path not in beside]
    if not paths:
        raise InputError(f"{table.name}: open shells stand beside a dataset of ions")
    are_surfaces = {holds_surfaces(path) for path in paths}
    if len(are_surfaces) > 1:
        raise InputError(f"{table.name}: datasets and files of surfaces are sources of their own")
    _check_level(table, paths)
    entries: list[Reference] | list[Surface]
    if are_surfaces == {False}:
        dataset = ReferenceDataset.load(*paths)
        checksum = dataset.checksum
        kept, out = _divided(list(dataset), excluded)
        dataset = ReferenceDataset(tuple(kept), dataset.provenance)
        entries = _known(kept, known)
        charged = bool(entries) and all(has_response(e.structure) for e in entries)
        targets = frozenset(table.targets) or (WITHOUT_ORBITALS if charged else GROUND_STATE)
        entries = frames_limited(_holding(entries, targets), table.frames)
    else:
        dataset = ReferenceDataset(())
        checksum = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
        surfaces, out = _divided([s for path in paths for s in load_surfaces(path)], excluded)
        entries = _known(surfaces, known)
        possible = GROUND_STATE - {"levels"} if head.kind == "own" else WITHOUT_ORBITALS
        targets = frozenset(table.targets) or possible
        if more := targets - possible:
            what = ", ".join(sorted(more))
            raise InputError(f"{table.name}: surfaces do not teach head {head.kind!r} {what}")
    every = [one for path in beside for one in load_vertical(path)]
    opened = tuple(one for one in every if not is_excluded(one.molecule, excluded))
    if beside:
        whole = b"".join(path.read_bytes() for path in beside)
        checksum = hashlib.sha256(checksum.encode() + whole).hexdigest()
    if out:  # another source than the files alone
        checksum = hashlib.sha256(" ".join([checksum, *out]).encode()).hexdigest()
    if not entries:
        raise ParameterError(f"{table.name}: no entry has the elements and what the targets need")
    if not targets - ORBITAL and all(has_response(e.structure) for e in entries):
        raise InputError(f'{table.name}: ions and radicals teach "energy" and "forces" alone')
    return Data(table, head, targets, entries, dataset, checksum, opened)


def _divided(entries: list[Some], excluded: frozenset[str]) -> tuple[list[Some], list[str]]:
    """Entries of molecules that are not excluded, and the excluded molecules."""
    out = {m for m in {entry.molecule for entry in entries} if is_excluded(m, excluded)}
    return [entry for entry in entries if entry.molecule not in out], sorted(out)


def _known(entries: list[Some], known: set[str]) -> list[Some]:
    return [entry for entry in entries if set(entry.structure.symbols) <= known]


def _holding(records: list[Reference], targets: frozenset[str]) -> list[Reference]:
    """Records with the excited states or the interaction energy that the targets ask for."""
    if targets & {"excitations", "constants"}:
        records = [r for r in map(with_singlets, records) if r.singlet_energies is not None]
    if "moments" in targets:
        records = [r for r in records if r.ris_energies is not None]
    if "interaction" in targets:
        records = [r for r in records if r.interaction_energy is not None]
    return records


def _check_level(table: SourceTable, paths: list[Path]) -> None:
    """Refuse several levels of theory in one source, and others than the recipe says."""
    levels = {path: level for path in paths if (level := level_of(path))}
    wanted = table.level.lower() or next(iter(levels.values()), "")
    for path, level in levels.items():
        if level != wanted:
            raise InputError(f"{path}: of level {level}, not {wanted} like the rest of its source")


def level_of(path: Path) -> str:
    """``METHOD/BASIS`` of a dataset; empty where the file does not say."""
    try:
        with h5py.File(path, "r") as file:
            level = json.loads(file.attrs.get("provenance", "{}")).get("level", {})
        return f"{level['method']}/{level['basis']}".lower()
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _of_split(
    entries: list[Reference] | list[Surface], side: str
) -> list[Reference] | list[Surface]:
    return [entry for entry in entries if split_of(entry.molecule) == side]  # type: ignore[return-value]


def parts_of(records: Sequence[Reference], recipe: Recipe) -> Parts:
    """Records of the first source, by split.

    Raises
    ------
    ParameterError
        If there is nothing to train on or to validate with.
    """
    found: dict[str, list[Reference]] = {name: [] for name in Parts._fields}
    for record in records:
        found[part_of(record, recipe.split)].append(record)
    found["train"] = molecules_limited(found["train"], recipe.limit, recipe.seed)
    if not found["train"] or not found["validation"]:
        hint = "" if recipe.split == "frame" else '; split = "frame" divides frames instead'
        raise ParameterError(
            f"{recipe.source[0].name}: no training or no validation molecules{hint}"
        )
    return Parts(**found)


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
