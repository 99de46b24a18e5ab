"""Configuration of a training run, read from TOML."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mlsemi.errors import InputError
from mlsemi.model.forms import ModelForm
from mlsemi.molecule.elements import number_of
from mlsemi.training.objective.loss import LossWeights


@dataclass(frozen=True)
class Schedule:
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
    """

    epochs: int = 100
    batch: int = 16
    learning_rate: float = 1.4e-2
    final_fraction: float = 0.01
    warmup_steps: int = 50
    flat: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    average: float = 0.99
    weight_decay: float = 0.1
    ridge_steps: int = 0
    ridge_penalty: float = 1e-6
    patience: int = 0
    force_share: float = 1.0

    def rate(self, step: int, total: int) -> float:
        """Learning rate at a step."""
        start = self.flat * total
        ramp = min(1.0, (step + 1) / max(1.0, min(self.warmup_steps, 0.1 * total)))
        if step < start:
            return self.learning_rate * ramp
        phase = np.pi * (step - start) / max(total - start, 1.0)
        low = self.final_fraction
        return float(self.learning_rate * ramp * (low + (1.0 - low) * 0.5 * (1.0 + np.cos(phase))))


@dataclass(frozen=True)
class Auxiliary:
    """Surfaces of one method (:mod:`mlsemi.training.objective.auxiliary`).

    Attributes
    ----------
    file : str
        Relative to the config file; surfaces of training molecules take part.
    share : float
        Surfaces in a batch per record.
    """

    file: str
    share: float = 1.0


@dataclass(frozen=True)
class Taught(Auxiliary):
    """Surfaces for the model itself (:mod:`mlsemi.training.objective.taught`).

    Attributes
    ----------
    weight : float
        Of their mean loss, beside that of the records.
    """

    weight: float = 1.0


@dataclass(frozen=True)
class Close:
    """Records of one level close to the reference (:mod:`mlsemi.training.objective.close_levels`).

    Attributes
    ----------
    datasets : tuple of str
        Relative to the config file; records of training molecules take part.
    share : float
        Of them in a batch per record of the reference.
    """

    datasets: tuple[str, ...]
    share: float = 1.0

    def __post_init__(self) -> None:
        if not self.datasets:
            raise InputError("[[close]] names no datasets")


@dataclass(frozen=True)
class Excited:
    """Records with excited states (:mod:`mlsemi.training.objective.excited_levels`).

    Attributes
    ----------
    datasets : tuple of str
        Relative to the config file; records of training molecules take part, with full
        Tamm-Dancoff states where they have them, else with TDA-ris singlets.
    share : float
        Of them in a batch per record of the reference.
    """

    datasets: tuple[str, ...]
    share: float = 0.2

    def __post_init__(self) -> None:
        if not self.datasets:
            raise InputError("[[excited]] names no datasets")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run; read from TOML.

    Attributes
    ----------
    name : str
        Name of the parameter set.
    datasets : tuple of str
        Dataset files, relative to the config file.
    output : str
        Folder of the finished parameter set, relative to the config file.
    auxiliary : tuple of Auxiliary
        One ``[[auxiliary]]`` table each.
    taught : tuple of Taught
        One ``[[taught]]`` table each.
    close, excited : tuple of Close, of Excited
        One ``[[close]]`` or ``[[excited]]`` table each.
    start : str
        Parameter set that the run starts from (empty: from scratch), a folder relative to the
        config file or a name; its elements and its form are kept.
    elements : tuple of str
    seed : int
    threads : int
        Cores to use, of which more than two gain nothing; results do not depend on them.
    only : tuple of str
        Train only the weights whose names start with one of these (empty: all), to fit a part of
        the model on its own; the rest keeps its start values, which for corrections is zero.
    committee : int
        Members of the committee that is fitted at the end, for uncertainties (0: none).
    limit : int
        Use only so many training molecules (0: all), for learning curves.
    frames : int
        Use only the first so many records of each molecule (0: all), so that one with a long
        trajectory does not outweigh the others.
    split : str
        What is held out for validation and test: whole molecules (``molecule``), or single
        geometries (``frame``) where there are few molecules with many frames.
    model, loss, schedule : dict or dataclass
        See :class:`ModelForm`, :class:`LossWeights`, :class:`Schedule`.
    """

    name: str
    datasets: tuple[str, ...]
    output: str
    auxiliary: tuple[Auxiliary, ...] = ()
    taught: tuple[Taught, ...] = ()
    close: tuple[Close, ...] = ()
    excited: tuple[Excited, ...] = ()
    start: str = ""
    elements: tuple[str, ...] = ("H", "C", "N", "O")
    seed: int = 0
    threads: int = 1
    only: tuple[str, ...] = ()
    committee: int = 32
    limit: int = 0
    frames: int = 0
    split: str = "molecule"
    model: dict[str, Any] = field(default_factory=dict)
    loss: LossWeights = field(default_factory=LossWeights)
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        if self.split not in ("molecule", "frame"):
            raise InputError(f"split = {self.split!r}, need molecule or frame")

    @classmethod
    def load(cls, path: Path) -> TrainConfig:
        """Read a TOML file.

        Raises
        ------
        InputError
            If the file is missing, not TOML, or has unknown or missing entries.
        """
        try:
            import tomllib
        except ModuleNotFoundError:  # Python 3.10
            import tomli as tomllib  # type: ignore[no-redef]
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: {error}") from None
        unknown = set(data) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"{path}: unknown entries {', '.join(sorted(unknown))}")
        try:
            for key, kind in TABLES.items():
                data[key] = _tables(kind, key, data.get(key, []))
            data["loss"] = _checked(LossWeights(**data.get("loss", {})))
            data["schedule"] = _checked(Schedule(**data.get("schedule", {})))
            config = _checked(cls(**_with_tuples(data)))
            _checked(config.form())
        except (TypeError, InputError) as error:
            raise InputError(f"{path}: {error}") from None
        return config

    def with_changes(self, epochs: int, **changes: Any) -> TrainConfig:
        """A copy with another number of epochs and other entries changed."""
        return replace(self, schedule=replace(self.schedule, epochs=epochs), **changes)

    def form(self) -> ModelForm:
        """Form of the model to train."""
        return ModelForm(tuple(number_of(text) for text in self.elements), **self.model)


TABLES: dict[str, type] = {
    "auxiliary": Auxiliary,
    "taught": Taught,
    "close": Close,
    "excited": Excited,
}
"""Entries that are lists of tables."""


def _tables(kind: type[Table], key: str, tables: object) -> tuple[Table, ...]:
    """One object for each ``[[key]]`` table."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{key} = {tables!r}, need [[{key}]] tables")
    return tuple(_checked(kind(**_with_tuples(table))) for table in tables)


def _with_tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}


MAY_BE_ZERO = ("committee",)
"""Whole numbers that may be zero although their default is not."""

T = TypeVar("T", TrainConfig, Schedule, LossWeights, ModelForm, Auxiliary, Taught, Close, Excited)
Table = TypeVar("Table", Auxiliary, Taught, Close, Excited)


def _checked(entries: T) -> T:
    """The same entries, if every one has the type that its field is annotated with.

    Numbers must not be negative; whole numbers may be zero only where zero is the default.
    """
    for entry in fields(entries):
        value = getattr(entries, entry.name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        whole = number and isinstance(value, int)
        least = int(entry.default != 0 and entry.name not in MAY_BE_ZERO)
        fine, need = {
            "str": (isinstance(value, str), "text"),
            "tuple[str, ...]": (_is_texts(value), "a list of texts"),
            "int": (whole and value >= least, "a positive whole number"),
            "bool": (isinstance(value, bool), "true or false"),
            "float": (number and 0.0 <= value < np.inf, "a number that is not negative"),
        }.get(str(entry.type), (True, ""))
        if not fine:
            raise InputError(f"{entry.name} = {value!r}, need {need}")
    return entries


def _is_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)
