"""A parameter set of random weights for tests of the doors: its numbers mean nothing."""

from pathlib import Path

import numpy as np

from mlsemi.excited.constants import ExcitationParameters
from mlsemi.model.catalogue import shapes_of
from mlsemi.model.model import Model
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.parameters import Parameters, checksum_of

ELEMENTS = (1, 6, 7, 8, 16)
LEVELS = {1: (-0.5, 0.0), 6: (-0.7, -0.3), 7: (-0.9, -0.4), 8: (-1.1, -0.5), 16: (-0.7, -0.35)}


def write_tiny_parameters(folder: Path) -> Path:
    """Write the folder of a small random set for H, C, N, O, S and return its path."""
    form = ModelForm(ELEMENTS, n_radial=4, n_channel=2, n_node=2, n_hidden=4)
    weights = {
        name: 0.03 * np.random.default_rng([0, *name.encode()]).normal(size=shape)
        for name, shape in shapes_of(form).items()
    }
    weights["level"] = np.array([LEVELS[z] for z in ELEMENTS])
    weights["two_center"] -= 0.3  # bonds, so that formaldehyde has a gap
    weights["energy.in"] *= 30.0  # so that forces are far from zero
    weights["energy.out"] *= 300.0
    weights |= {name: np.ones_like(w) for name, w in weights.items() if "domain" in name}
    weights["domain.limit"] *= 1e6  # nothing is outside, so that warnings are those of the test
    model = Model(form, weights)
    header = {"training": "random weights", "reference": {"level": {"method": "b3lyp"}}}
    tiny = Parameters("tiny", header, model, checksum_of(weights))
    tiny.with_excitation(ExcitationParameters(), {}).save(folder)
    return folder
