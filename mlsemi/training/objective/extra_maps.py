"""Last maps that exist in training alone: how another method reads the same features.

Their weights are named after those of the model, behind a prefix: ``auxiliary.0.charge`` is the
charge of the first set of auxiliary surfaces, ``close.1.onsite`` what the second close level adds
to the on-site map. The parameter set that is released contains none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

KINDS = ("auxiliary", "close")


def prefix_of(kind: str, number: int) -> str:
    """Of the names of one set's weights."""
    return f"{kind}.{number}."


def base_name(name: str) -> str:
    """Name of a weight without the prefix."""
    return name.split(".", 2)[2] if name.startswith(KINDS) else name


def new_hidden_units(weights: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Other hidden units of the energy's perceptron than the model's, which add nothing yet.

    Parameters
    ----------
    weights : mapping
        Of the model; a linear energy has no units, and a form without readout nothing at all.
    seed : int
    """
    rng = np.random.default_rng(seed)
    hidden = ("energy.in", "energy.bias")
    out = {name: rng.permuted(weights[name]) for name in hidden if name in weights}
    if "energy.out" in weights:
        out["energy.out"] = np.zeros_like(weights["energy.out"])
    return out


def released(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of the model itself."""
    return {name: value for name, value in weights.items() if not name.startswith(KINDS)}
