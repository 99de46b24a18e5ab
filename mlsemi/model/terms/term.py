"""The contract of a term: everything that one group of weights does, in one file.

A term says what its weights are (shape, start value, step and decay in training, what another level
of theory may change), adds its part to a :class:`~mlsemi.model.terms.prediction.Prediction`, and
walks back from the cotangents of that part to those of its weights and of what it has read:

    forward:  prediction += part(weights, geometry, features)
    adjoint:  gradients += (d part / d weights)^T bar,   bar of features and geometry likewise

``Model.predict`` is a loop over the terms of a form, ``Model.adjoint`` the same loop in reverse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.symmetry.blocks import BlockedOperator
from mlsemi.symmetry.layers import Gradients, Weights

Start = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def zero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A last map that says nothing yet."""
    return np.zeros(shape)


def one(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A factor, or a width."""
    return np.ones(shape)


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers over the root of the number of inputs."""
    return rng.normal(size=shape) / np.sqrt(shape[-2] if len(shape) > 1 else 1.0)


def faint(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A tenth of :func:`drawn`: gates and biases that hardly act yet."""
    return 0.1 * drawn(rng, shape)


class Weight(NamedTuple):
    """What is to be known of one array of weights.

    Attributes
    ----------
    shape : tuple of int
    start : callable
        Of a random generator and the shape: its value before any data are seen.
    step : float
        Length of the optimizer's steps relative to those of the features. What the last maps make
        is small in atomic units: with steps as long they would be noise until the rate has decayed.
    decays : bool
        Whether training draws it towards zero.
    trained : bool
        Whether training moves it; the others are set once, from the training data.
    finite : bool
        Whether it has to be finite; False where infinity says that nothing is known.
    linear : bool
        Whether H_o is linear in it, and in all others of this kind together.
    shifted : bool
        Whether another level of theory may add a difference to it.
    own : bool
        Whether another method that reads the same features has one of its own.
    units : int or None
        Axis along which hidden units are counted, where another level adds units, not values.
    """

    shape: tuple[int, ...]
    start: Start = zero
    step: float = 1.0
    decays: bool = True
    trained: bool = True
    finite: bool = True
    linear: bool = False
    shifted: bool = False
    own: bool = False
    units: int | None = None


class Known(NamedTuple):
    """What start values are fitted to.

    Attributes
    ----------
    hamiltonian : BlockedOperator
        Irreps of the projected Hamiltonians (theory eq 6) of some training structures.
    energies : (n_structure,) array
        What is missing of their energies, hartree.
    """

    hamiltonian: BlockedOperator
    energies: np.ndarray


EVERYTHING = frozenset({"everything"})
"""What a term serves that the features are made of."""


@dataclass(frozen=True)
class Term:
    """Base of all terms; a term without weights, start or derivative leaves out the method.

    Attributes
    ----------
    serves : set of str
        Fields of a :class:`Prediction`, or names among its ``extra``, that depend on the term. It
        is left out where none of them is asked for.
    form : ModelForm
    """

    serves: ClassVar[frozenset[str]] = EVERYTHING
    form: ModelForm

    def weights(self) -> dict[str, Weight]:
        """Name and facts of every weight of this term; a name occurs in no other file."""
        return {}

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Set start values that follow from data.

        Parameters
        ----------
        weights : dict
            Of the whole model; the term changes its own.
        known : Known
        sample : Prediction
            What the terms before this one say of other training structures, for scales.
        """

    def forward(self, weights: Weights, out: Prediction) -> Any:
        """Add the part of this term.

        Parameters
        ----------
        weights : mapping
            Of the whole model.
        out : Prediction
            Changed; it has what the terms before this one have added.

        Returns
        -------
        What the adjoint needs beside its arguments.
        """

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: Any,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """Adjoint of :meth:`forward`.

        Parameters
        ----------
        weights, out
            As there, ``out`` complete.
        record
            Result of ``forward``.
        bar : PredictionBar
            Cotangents of the prediction; to those of what the term has read is added.
        gradients : dict or None
            Of all weights by name; to those of this term is added. None: constants.
        """


def ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """W of the least |x w - y|^2 + penalty |w|^2.

    Parameters
    ----------
    x : (n, n_feature) array
    y : (n,) array
    penalty : float
    """
    return np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
