"""The recipe: everything that decides a training run, read from TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from mlsemi.errors import InputError
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.molecule.elements import number_of
from mlsemi.training.data.written import first_mistake, toml
from mlsemi.training.objective.heads import Kind
from mlsemi.training.objective.loss import GROUND_STATE, NUMBER, LossWeights
from mlsemi.training.objective.source import Ramp

COUNT = Annotated[int, Field(ge=0, strict=True)]
WHOLE = Annotated[int, Field(ge=1, strict=True)]
SIGNED = Annotated[float, Field(strict=True, allow_inf_nan=False)]
SOME = Annotated[str, Field(min_length=1)]
EXACT = ConfigDict(extra="forbid")

Aim = Literal[
    "levels", "charges", "dipole", "multipoles", "energy", "forces", "interaction", "excitations",
    "constants", "moments", "response",
]  # fmt: skip
"""What a source is for. After a stage the constants of the interaction between configurations, and
the factor of the transition moments, are fitted to it; after the last one the matrices of contacts,
to interaction energies of complexes, and the constants of the response to charge and spin."""

AFTER = frozenset(("interaction", "response"))
FITS = AFTER | {"constants", "moments"}

Dose = NUMBER | tuple[NUMBER | tuple[NUMBER, NUMBER], ...]
"""The same in all stages, or one entry per stage; a pair is the first and the last epoch of it."""


@dataclass(frozen=True, kw_only=True, config=EXACT)
class SourceTable:
    """One ``[[source]]`` table: some files, and what they are for.

    Attributes
    ----------
    files : tuple of str
        Datasets, or files of surfaces, of one level of theory; relative to the recipe.
    level : str
        Their level, ``METHOD/BASIS``: checked against the files if it is given.
    head : "model", "shifted" or "own"
        What reads them: the model itself, the model with small differences of its last maps, or a
        readout of their own (:mod:`mlsemi.training.objective.heads`).
    targets : tuple of str
        What they teach; by default all that their head can learn of what they hold, but neither
        interaction energies nor excited states.
    share : Dose
        Entries in a batch per record of the first source; nothing is drawn where it is zero.
    weight : Dose
        Of their mean loss, beside that of the records of the first source.
    frames : int
        Use only the first so many records of each molecule (0: all), so that one with a long
        trajectory does not outweigh the others.
    triplet_shift : float
        Added to triplets, eV: what their method lacks on average.
    """

    files: Annotated[tuple[SOME, ...], Field(min_length=1)]
    level: str = ""
    head: Kind = "model"
    targets: tuple[Aim, ...] = ()
    share: Dose = 1.0
    weight: Dose = 1.0
    frames: COUNT = 0
    triplet_shift: SIGNED = 0.0

    @property
    def name(self) -> str:
        """Of its files."""
        return ", ".join(self.files)

    def at(self, entry: Literal["share", "weight"], stage: int) -> Ramp:
        """First and last share or weight of a stage, counted from 0."""
        dose = getattr(self, entry)
        value = dose[stage] if isinstance(dose, tuple) else dose
        return value if isinstance(value, tuple) else (value, value)


@dataclass(frozen=True, kw_only=True, config=EXACT)
class Stage:
    """SOAP with warm-up, a flat part and a cosine decay; averaged weights.

    Attributes
    ----------
    epochs, batch : int
    learning_rate, final_fraction : float
    warmup_steps : int
        Steps in which the rate rises to ``learning_rate``, but no more than a tenth of all.
    flat : float
        Part of all steps before the decay begins.
    beta1, beta2, clip, average : float
        Decay of the moments, gradient-norm limit, decay of the moving average
        of weights.
    weight_decay : float
        Decoupled decay of the corrections' weights (Loshchilov and Hutter 2019); the physics
        baseline, biases and scales are not decayed.
    ridge_steps : int
        Steps of conjugate gradients on matrix elements before the first epoch (0: none).
    ridge_penalty : float
        Of that regression, hartree^2.
    patience : int
        Stop after so many epochs without a gain on the validation molecules (0: never).
    force_share : float
        Part of the records with forces, drawn anew every epoch, that are also trained on them.
    only : tuple of str
        Train only the weights whose names start with one of these (empty: all), to fit a part of
        the model on its own; the rest keeps its start values, which for corrections is zero.
    further_elements : bool
        Train only what belongs to elements that the set the run starts from does not have, on the
        records that hold one; molecules of its elements keep their results to the bit.
    loss : LossWeights
        Of this stage.
    """

    epochs: WHOLE = 100
    batch: WHOLE = 16
    learning_rate: NUMBER = 1.4e-2
    final_fraction: NUMBER = 0.01
    warmup_steps: COUNT = 50
    flat: NUMBER = 0.0
    beta1: NUMBER = 0.9
    beta2: NUMBER = 0.95
    clip: NUMBER = 1.0
    average: NUMBER = 0.99
    weight_decay: NUMBER = 0.1
    ridge_steps: COUNT = 0
    ridge_penalty: NUMBER = 1e-6
    patience: COUNT = 0
    force_share: NUMBER = 1.0
    only: tuple[str, ...] = ()
    further_elements: Annotated[bool, Field(strict=True)] = False
    loss: LossWeights = field(default_factory=LossWeights)

    def rate(self, step: int, total: int) -> float:
        """Learning rate at a step."""
        start = self.flat * total
        ramp = min(1.0, (step + 1) / max(1.0, min(self.warmup_steps, 0.1 * total)))
        if step < start:
            return self.learning_rate * ramp
        phase = np.pi * (step - start) / max(total - start, 1.0)
        low = self.final_fraction
        return float(self.learning_rate * ramp * (low + (1.0 - low) * 0.5 * (1.0 + np.cos(phase))))


@dataclass(frozen=True, kw_only=True, config=EXACT)
class Recipe:
    """Everything that decides a training run.

    Attributes
    ----------
    name : str
        Of the parameter set.
    source : tuple of SourceTable
        Of data. The first is the reference: its records give the start values, the length of an
        epoch, the training domain, the committee and the errors in the header.
    stage : tuple of Stage
        One after the other; each begins with the best weights of the one before. None: of the set
        to start from everything stays but contacts and the constants of the response.
    output : str
        Folder of the finished parameter set, relative to the recipe; the name by default.
    start : str
        Parameter set that the run starts from (empty: from scratch), a folder relative to the
        recipe or a name; its form is kept. Elements may be added behind its own.
    elements : tuple of str
        Those of ``start``, or else of the first source, by default.
    seed : int
        Of the first stage; the others count on.
    threads : int
        Cores to use, of which more than two gain nothing; results do not depend on them.
    committee : int
        Members of the committee that is fitted at the end, for uncertainties (0: none).
    limit : int
        Use only so many training molecules of the first source (0: all), for learning curves.
    exclude : str
        File of sha256(InChIKey) of molecules that neither teach nor choose nor test, whatever the
        sources hold.
    split : "molecule" or "frame"
        What is held out for validation and test: whole molecules, or single geometries where there
        are few molecules with many frames.
    model : dict
        See :class:`ModelForm`; sizes of ``start`` by default.
    """

    name: SOME
    source: Annotated[tuple[SourceTable, ...], Field(min_length=1)]
    stage: tuple[Stage, ...] = field(default=(Stage(),))
    output: str = ""
    start: str = ""
    elements: tuple[str, ...] = ()
    seed: COUNT = 0
    threads: WHOLE = 1
    committee: COUNT = 32
    limit: COUNT = 0
    exclude: str = ""
    split: Literal["molecule", "frame"] = "molecule"
    model: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = self.source[0]
        if not self.stage:
            asked = [(table.head, *table.targets) for table in self.source]
            if not self.start or not set(asked) <= {("model", aim) for aim in AFTER}:
                raise ValueError(
                    "without a stage contacts and the response alone are fitted: give a set to "
                    'start from and [[source]] with targets = ["interaction"] or ["response"]'
                )
        elif first.head != "model" or not set(first.targets) <= GROUND_STATE | {"multipoles"}:
            raise ValueError(
                "the first [[source]] is the reference: no other head, and of targets only "
                + ", ".join(sorted(GROUND_STATE | {"multipoles"}))
            )
        for fitted in FITS:
            if sum(fitted in table.targets for table in self.source) > 1:
                raise ValueError(f"{fitted} are fitted to one [[source]], with all its files")
        for table in self.source:
            for entry in ("share", "weight"):
                dose = getattr(table, entry)
                if isinstance(dose, tuple) and len(dose) != len(self.stage):
                    raise ValueError(
                        f"{table.name}: {entry} has {len(dose)} entries for {len(self.stage)} "
                        "stages"
                    )
            if table.head != "model" and not set(table.targets) <= GROUND_STATE:
                raise ValueError(f"{table.name}: head {table.head!r} does not learn these targets")

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read a TOML file.

        Raises
        ------
        InputError
            If the file is missing, not TOML, or has unknown or missing entries.
        """
        data = toml(path)
        try:
            return cls.of_mapping(data)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def of_mapping(cls, data: Mapping[str, Any]) -> Recipe:
        """A recipe from what a TOML file holds.

        Raises
        ------
        InputError
        """
        for key, new in FORMER.items():
            if key in data:
                raise InputError(f"{key} is now {new}")
        try:
            recipe = TypeAdapter(cls).validate_python(dict(data))
            if recipe.elements or recipe.model:
                recipe.changed(elements=recipe.elements or ("H",)).form()
        except ValidationError as error:
            raise InputError(first_mistake(error)) from None
        except TypeError as error:
            raise InputError(f"model: {error}") from None
        return recipe

    def changed(self, **entries: Any) -> Recipe:
        """A copy with other entries."""
        return replace(self, **entries)

    def with_stage(self, **entries: Any) -> Recipe:
        """A copy with other entries of its last stage."""
        last = replace(self.stage[-1], **entries)
        return self.changed(stage=(*self.stage[:-1], last))

    def until(self, stage: int) -> Recipe:
        """What decides the run up to the end of a stage, counted from 0."""
        n = stage + 1

        def cut(dose: Any) -> Any:
            return dose[:n] if isinstance(dose, tuple) else dose

        tables = [
            replace(table, share=cut(table.share), weight=cut(table.weight))
            for table in self.source
        ]
        return self.changed(stage=self.stage[:n], source=tuple(tables))

    def form(self) -> ModelForm:
        """Form of the model to train."""
        return ModelForm(tuple(number_of(text) for text in self.elements), **self.model)

    def folder(self, base: Path) -> Path:
        """Where the finished set goes."""
        return base / (self.output or self.name)

    def plain(self) -> dict[str, Any]:
        """Every entry, defaults included, as a recipe would have it."""
        return dict(TypeAdapter(Recipe).dump_python(self, mode="json"))


FORMER = {
    "datasets": "files of the first [[source]]",
    "frames": "frames of a [[source]]",
    "close": '[[source]] with head = "shifted"',
    "auxiliary": '[[source]] with head = "own"',
    "taught": '[[source]] with targets = ["energy", "forces"]',
    "excited": '[[source]] with targets = ["excitations"]',
    "schedule": "[[stage]]",
    "only": "only of a [[stage]]",
    "loss": "[stage.loss], after its [[stage]]",
}
"""Entries of earlier recipes, and what they are now."""
