"""State of a training run and its checkpoint file: enough for a bit-identical restart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlsemi.errors import ParameterError
from mlsemi.model import Model
from mlsemi.outputs import complete_or_absent

_GROUPS = ("weights", "averaged", "first", "second", "best")


@dataclass
class TrainState:
    """What a checkpoint holds: enough for a bit-identical restart."""

    weights: dict[str, np.ndarray]
    averaged: dict[str, np.ndarray]
    first: dict[str, np.ndarray]
    second: dict[str, np.ndarray]
    best: dict[str, np.ndarray]
    step: int
    history: list[dict[str, float]]
    rng: dict[str, Any]

    @classmethod
    def start(cls, model: Model, seed: int) -> TrainState:
        """State before the first step."""
        w = {k: np.array(v) for k, v in model.weights.items()}
        zeros = {k: np.zeros_like(v) for k, v in w.items()}
        copies = [{k: v.copy() for k, v in d.items()} for d in (w, w, zeros, zeros, w)]
        rng = np.random.default_rng(seed).bit_generator.state
        return cls(**dict(zip(_GROUPS, copies, strict=True)), step=0, history=[], rng=dict(rng))

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
            If it belongs to another configuration or dataset.
        """
        with np.load(path) as data:
            meta = json.loads(str(data["meta"]))
            if meta["stamp"] != stamp:
                raise ParameterError(
                    f"{path}: checkpoint of another configuration or dataset; use --fresh"
                )
            groups = {
                group: {k.split("/")[1]: data[k] for k in data.files if k.startswith(f"{group}/")}
                for group in _GROUPS
            }
        return cls(**groups, step=meta["step"], history=meta["history"], rng=meta["rng"])
