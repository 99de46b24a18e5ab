"""Constants of the response to charge and spin, fitted to ions and radicals.

H_o, Pi and the features stay as they are: every record has them once. The constants
(:mod:`mlsemi.model.terms.response`) then follow from levels and charges of closed-shell ions, and
from levels and energies of vertical cations and triplets, by L-BFGS with the exact gradient
(:meth:`mlsemi.response.difference_density.Response.levels_adjoint`); what the closed shell lacks of
the energy of ions whose neutral form is a radical follows by ridge regression.

Penalties mean the same for every set: elements are drawn towards their mean, and features count by
principal components of unit variance, the largest ``COMPONENTS``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from mlsemi.errors import InputError
from mlsemi.model.catalogue import start_of
from mlsemi.model.model import Model
from mlsemi.model.terms.response import START, Response
from mlsemi.parameters import Parameters
from mlsemi.symmetry.layers import Weights
from mlsemi.training.calibration.response_lessons import Lesson, lessons_of
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.vertical import Vertical

COMPONENTS = 60
"""Principal components of the features that U and y read."""

SURROUNDINGS, ELEMENTS = 0.1, 0.01
"""Penalty of the squares of what the components, and the single elements, change; eV^2."""

ODD_PENALTY, ODD_ELEMENT = 1.0, 3.0
"""Of the regression of y, and how much freer the elements are in it than the components."""

STEPS = 60
"""Evaluations of loss and gradient at most."""

FIRST = 0.1
"""Length of the first step, before the curvature is known."""


class Scale(NamedTuple):
    """Features as the fit counts them.

    Attributes
    ----------
    mean : (n_invariant,) array
    axes : (n_invariant, n_component) array
        Of unit variance along each.
    """

    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, lessons: Sequence[Lesson]) -> Scale:
        """Principal components of the features of all atoms, each feature of unit variance."""
        x = np.concatenate([one.prediction.invariants for one in lessons])
        mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-12
        _, sizes, axes = np.linalg.svd((x - mean) / deviation, full_matrices=False)
        n = min(COMPONENTS, int(np.sum(sizes > 1e-6 * sizes[0])))
        lengths = sizes[:n] / np.sqrt(len(x))
        return cls(mean, axes[:n].T / lengths / deviation[:, None])


def weights_at(x: np.ndarray, start: Weights, scale: Scale) -> dict[str, np.ndarray]:
    """Weights of the term from what the fit moves.

    Parameters
    ----------
    x : (n,) array
        Mean and differences of elements of ln a, k and ln b; c, s; components of w.
    start : mapping
        Weights of the term before the fit.
    scale : Scale
    """
    n = start["response.hardness"].size
    a, k, b = x[: 3 * (n + 1)].reshape(3, n + 1)
    along = scale.axes @ x[3 * (n + 1) + 2 :]
    return dict(start) | {
        "response.hardness": np.exp(a[0] + a[1:] - scale.mean @ along),
        "response.growth": k[0] + k[1:],
        "response.spin": np.exp(b[0] + b[1:]),
        "response.shared": x[3 * (n + 1) :][:2],
        "response.surroundings": along,
    }


def weights_adjoint(
    x: np.ndarray, weights: Weights, scale: Scale, gradients: Weights
) -> np.ndarray:
    """Adjoint of :func:`weights_at`, (n,)."""
    by_element = (
        gradients["response.hardness"] * weights["response.hardness"],
        gradients["response.growth"],
        gradients["response.spin"] * weights["response.spin"],
    )
    means = [np.concatenate([[values.sum()], values]) for values in by_element]
    along = gradients["response.surroundings"] - scale.mean * by_element[0].sum()
    return np.concatenate([*means, gradients["response.shared"], along @ scale.axes])


def with_fitted_response(
    parameters: Parameters,
    ions: ReferenceDataset,
    opened: Sequence[Vertical],
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> Parameters:
    """The set with constants of the response fitted to ions and open shells.

    Neutral closed shells stay bit for bit what they are.

    Parameters
    ----------
    parameters : Parameters
    ions : ReferenceDataset
        Its test molecules only measure.
    opened : sequence of Vertical
        Likewise.
    report : callable
        Of the number of the evaluation and the mean loss, eV^2.

    Raises
    ------
    InputError
        If nothing is left to fit to.
    """
    lessons = lessons_of(parameters, list(ions), opened)
    fitted = [one for one in lessons if one.split != "test"]
    if not fitted:
        raise InputError("no ion or open shell to fit the response to")
    known = parameters.model
    names = tuple(name for name in known.form.extra if name != "response")
    form = replace(known.form, extra=(*names, "response"))
    term = Response(form)
    start = {name: start_of(form, 0)[name] for name in term.weights()}
    scale = Scale.of(fitted)
    weights = _fit_levels(term, start, fitted, scale, report)
    weights |= _fit_energies(term, weights, fitted, scale)
    model = Model(form, dict(known.weights) | weights)
    provenance = {
        "dataset_checksum": ions.checksum,
        "ions": sum(one.change is None for one in fitted),
        "open_shells": sum(one.change is not None for one in fitted),
    }
    return parameters.with_fit("response_fit", model, provenance)


def _fit_levels(
    term: Response,
    start: dict[str, np.ndarray],
    lessons: Sequence[Lesson],
    scale: Scale,
    report: Callable[[int, float], None],
) -> dict[str, np.ndarray]:
    """L-BFGS on levels, charges and energies of open shells."""
    n, done = start["response.hardness"].size, [0]
    penalty = np.zeros(3 * (n + 1) + 2 + scale.axes.shape[1])
    penalty[: 3 * (n + 1)].reshape(3, n + 1)[:, 1:] = ELEMENTS
    penalty[3 * (n + 1) + 2 :] = SURROUNDINGS
    x = np.zeros_like(penalty)  # where it starts
    x[0], x[2 * (n + 1)] = np.log(START.hardness), np.log(START.spin)
    x[3 * (n + 1) :][:2] = START.exchange, START.screening

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        weights = weights_at(x, start, scale)
        gradients = {name: np.zeros_like(value) for name, value in weights.items()}
        total = sum(one.loss(term, weights, gradients) for one in lessons) / len(lessons)
        slope = weights_adjoint(x, weights, scale, gradients) / len(lessons)
        done[0] += 1
        report(done[0], total)
        return total + float(penalty @ x**2), slope + 2.0 * penalty * x

    def along(y: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = loss(x + FIRST * y)
        return value, FIRST * slope

    options = {"maxfun": STEPS}
    found = minimize(along, np.zeros_like(x), jac=True, method="L-BFGS-B", options=options)
    return weights_at(x + FIRST * found.x, start, scale)


def _fit_energies(
    term: Response, weights: Weights, lessons: Sequence[Lesson], scale: Scale
) -> dict[str, np.ndarray]:
    """Ridge regression of what the closed shell lacks where the neutral molecule is a radical."""
    rows, missing = [], []
    elements = np.eye(weights["response.odd"].size)
    for one in lessons:
        if one.energy is None:
            continue
        shares = np.empty(one.rows.size)
        shares[one.rows] = one.neutral.susceptibility.odd_shares
        inputs = (one.prediction.invariants - scale.mean) @ scale.axes
        species = one.prediction.pairs.species
        rows.append(np.concatenate([ODD_ELEMENT * shares @ elements[species], shares @ inputs]))
        missing.append(one.energy - one.closed_energy - one.response(term, weights).energy)
    if not rows:
        return {}
    x = np.array(rows)
    found = np.linalg.solve(x.T @ x + ODD_PENALTY * np.eye(x.shape[1]), x.T @ np.array(missing))
    odd, along = np.split(found, [len(elements)])
    surroundings = scale.axes @ along
    return {
        "response.odd": ODD_ELEMENT * odd - scale.mean @ surroundings,
        "response.odd_surroundings": surroundings,
    }
