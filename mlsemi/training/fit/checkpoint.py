"""State of a training run and its checkpoint file: enough for a bit-identical restart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlsemi.errors import ParameterError
from mlsemi.model.model import Model
from mlsemi.outputs import complete_or_absent
from mlsemi.training.fit.optimizer import Moments

_GROUPS = ("weights", "averaged", "best", "moments")


@dataclass
class TrainState:
    """What a checkpoint holds: enough for a bit-identical restart."""

    weights: dict[str, np.ndarray]
    averaged: dict[str, np.ndarray]
    best: dict[str, np.ndarray]
    moments: Moments
    step: int
    history: list[dict[str, float]]
    rng: dict[str, Any]

    @classmethod
    def start(cls, model: Model, seed: int) -> TrainState:
        """State before the first step."""
        w = {k: np.array(v) for k, v in model.weights.items()}
        averaged, best = ({k: v.copy() for k, v in w.items()} for _ in range(2))
        rng = np.random.default_rng(seed).bit_generator.state
        return cls(w, averaged, best, moments={}, step=0, history=[], rng=dict(rng))

    def save(self, path: Path, stamp: str) -> None:
        """Write the checkpoint; it appears complete or not at all."""
        meta = {"step": self.step, "history": self.history, "rng": self.rng, "stamp": stamp}
        arrays = {
            f"{group}/{name}": value
            for group in _GROUPS
            for name, value in getattr(self, group).items()
        }
        with complete_or_absent(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, meta=np.array(json.dumps(meta)), **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path, stamp: str) -> TrainState:
        """Read a checkpoint.

        Raises
        ------
        ParameterError
            If it is damaged, or belongs to another recipe or dataset.
        """
        try:
            with open(path, "rb") as stream, np.load(stream) as data:
                arrays = {name: data[name] for name in data.files}
            meta = json.loads(str(arrays.pop("meta")))
            groups: dict[str, dict[str, np.ndarray]] = {group: {} for group in _GROUPS}
            for name, value in arrays.items():
                group, _, weight = name.partition("/")
                groups[group][weight] = value
            stored = meta["stamp"]
            state = cls(**groups, step=meta["step"], history=meta["history"], rng=meta["rng"])
        except Exception:  # a damaged file can provoke almost any
            raise ParameterError(f"{path}: damaged checkpoint; remove it or use --fresh") from None
        if stored != stamp:
            raise ParameterError(
                f"{path}: checkpoint of another recipe or dataset; remove it or use --fresh"
            )
        return state
