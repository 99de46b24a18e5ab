"""Close levels: the reference's functional in a small basis teaches the model itself.

A small basis costs a fifth of the reference, and what it lacks is simple: occupied levels are too
high by 0.23 eV, but a constant for each kind of orbital mends them to 0.04 eV, and functions of the
pairs mend its forces (``validation/small_basis.py``). So its records are told apart from those of
the reference by small differences of the last maps only, which are learned on the way, and are
trained on like any others (difference learning: Ramakrishnan et al., J. Chem. Theory Comput. 11,
2087 (2015)):

    w(close) = w + d,   and of the energy's perceptron: hidden units of its own are added.

The parameter set that is released contains no differences. Of the virtual levels only the LUMO
takes part: higher ones are other orbitals in another basis, 0.4 eV apart after the same fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mlsemi.ground.state import ground_state
from mlsemi.model.model import Model
from mlsemi.model.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.training.objective.atomic_parts import atomic_parts
from mlsemi.training.objective.evaluation import batch_loss
from mlsemi.training.objective.extra_maps import new_hidden_units, prefix_of, released
from mlsemi.training.objective.loss import LossWeights, Target

SHIFTED = (
    "level",
    "two_center",
    "onsite",
    "bond.out",
    "charge",
    "dipole.atom",
    "dipole.sp",
    "energy.atom",
    "energy.pair",
)
"""Maps that a difference is added to, where the form has them."""

HIDDEN_AXIS = {"energy.in": 1, "energy.bias": 1, "energy.out": 0}
"""Where the hidden units of the energy's perceptron are counted."""


@dataclass(frozen=True, eq=False)
class CloseSet:
    """Records of one close level in a training run.

    Attributes
    ----------
    kind : str
        What such sets are called in the header of a parameter set.
    name : str
        Of their files, as in the recipe.
    number : int
        Of their differences.
    share : float
        Records in a batch per record of the reference.
    targets : list of Target
    checksum : str
        Of the datasets together.
    """

    kind: ClassVar[str] = "close"

    name: str
    number: int
    share: float
    targets: list[Target]
    checksum: str

    @property
    def molecules(self) -> list[str]:
        """Molecule of every record."""
        return [target.record.molecule for target in self.targets]

    def start(self, model: Model) -> dict[str, np.ndarray]:
        """Start weights of their differences: energies of the atoms by least squares, no more."""
        return differences(model, self.targets, self.number)

    def loss(
        self, model: Model, rows: Sequence[int], weights: LossWeights
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Summed loss of some records (eV^2) and its gradient, times ``weights.close``.

        Parameters
        ----------
        model : Model
            With the differences among its weights.
        rows : sequence of int
            Which records.
        weights : LossWeights
        """
        close = with_differences(model, self.number)
        terms = replace(weights, virtual=0.0, residual_virtual=0.0)
        losses, _, gradients = batch_loss(close, [self.targets[k] for k in rows], terms)
        gradients = {name: weights.close * value for name, value in gradients.items()}
        return weights.close * sum(losses), differences_adjoint(model, self.number, gradients)


def differences(model: Model, targets: Sequence[Target], number: int) -> dict[str, np.ndarray]:
    """Start weights of the differences of a close level.

    Parameters
    ----------
    model : Model
        At its start.
    targets : sequence of Target
        Records of the close level.
    number : int
        Of the level.

    Returns
    -------
    mapping of prefixed names to weights
    """
    own = model.weights
    out = {name: np.zeros_like(own[name]) for name in SHIFTED if name in own}
    records = [target.record for target in targets]
    missing = [r.energy - _start_energy(model, r.structure) for r in records]
    out["energy.atom"], _ = atomic_parts(
        [r.structure for r in records], missing, model.form.elements
    )
    out |= new_hidden_units(own, 101 + number)
    return {prefix_of("close", number) + name: value for name, value in out.items()}


def _start_energy(model: Model, structure: Structure) -> float:
    """Total energy, hartree."""
    pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
    prediction, _ = model.predict(pairs)
    return ground_state(model, prediction, 0).energy


def with_differences(model: Model, number: int) -> Model:
    """The model of a close level: weights without prefix, differences added.

    Parameters
    ----------
    model : Model
        With the differences among its weights.
    number : int
        Of the level.
    """
    weights = released(model.weights)
    for name, value in _own(model.weights, number).items():
        axis, both = _hidden_axis(weights, name), (weights[name], value)
        weights[name] = both[0] + both[1] if axis is None else np.concatenate(both, axis)
    return Model(model.form, weights)


def differences_adjoint(
    model: Model, number: int, gradients: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Adjoint of :func:`with_differences`: gradients of all weights of the model.

    Parameters
    ----------
    model, number
        As there.
    gradients : mapping
        By the weights of the model of the close level.
    """
    out = {name: np.zeros_like(value) for name, value in model.weights.items()}
    own = _own(model.weights, number)
    for name, gradient in gradients.items():
        axis = _hidden_axis(gradients, name)
        if name not in own or axis is None:
            both = gradient, gradient
        else:
            first, second = np.split(gradient, 2, axis)
            both = first, second
        out[name] = both[0]
        if name in own:
            out[prefix_of("close", number) + name] = both[1]
    return out


def _own(weights: Mapping[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    prefix = prefix_of("close", number)
    return {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}


def _hidden_axis(weights: Mapping[str, np.ndarray], name: str) -> int | None:
    """Axis of the hidden units; None where weights add up (a linear energy has no units)."""
    return HIDDEN_AXIS.get(name) if "energy.in" in weights else None
