"""Constants of the excited states, fitted to full Tamm-Dancoff calculations.

The orbitals stay those of a given parameter set; the constants of theory eqs 7-9a are changed so
that its simplified Tamm-Dancoff energies match the reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from mlsemi.errors import InputError
from mlsemi.excited.constants import ExcitationParameters, Scalars
from mlsemi.excited.excitations import excite, excite_adjoint
from mlsemi.excited.interaction import Interaction
from mlsemi.excited.states import Excitations, Multiplicity
from mlsemi.molecule.elements import number_of
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.objective.excitation_cases import (
    HIGHER,
    N_MODEL,
    RIS_SHIFT,
    SOFT,
    Case,
    cases_of,
    match,
    shifted_ris,
    with_singlets,
)
from mlsemi.units import HARTREE_EV

SCALARS = ("ax", "alpha_k", "beta_j", "ax_one_center")
SHIFTS = ("fock_near", "fock_far")
TABLES = {
    "hardness": ("hardness",),
    "exchange_sp": ("exchange_sp",),
    "exchange_pp": ("exchange_pp",),
    "exchange": ("exchange_sp", "exchange_pp"),
}
FREE = (*SCALARS, *SHIFTS, "hardness", "hardness.H", "hardness.N", "hardness.O", "exchange")
"""What is fitted by default: factors exp(x) of scalars, of whole tables and of the table's entry of
one element; shifts of constants that may be zero."""

MAX_STEPS, LONGEST_STEP, SHORTER, CONVERGED = 40, 0.3, 0.85, 3e-3
"""Of the fit, in the free numbers."""


@dataclass(frozen=True)
class FitOptions:
    """How the constants are fitted.

    Attributes
    ----------
    free : tuple of str
        Names of the constants: scalars, tables (one factor for all elements), table entries.
    prior : float
        Standard deviation of each free number (logarithm or shift) about zero.
    folds : int
        Of the cross-validation.
    triplet_shift : float
        Added to the reference's triplets, hartree. Tamm-Dancoff triplets of CAM-B3LYP lie 0.17 eV
        below published best estimates on average (``validation/excitations.md``); it is the one
        number from published excitation energies that enters.
    """

    free: tuple[str, ...] = FREE
    prior: float = 0.5
    folds: int = 6
    triplet_shift: float = 0.17 / HARTREE_EV


def changed(
    start: ExcitationParameters, free: Sequence[str], x: np.ndarray
) -> ExcitationParameters:
    """Constants times exp(x), shifts plus x, for each free name.

    Parameters
    ----------
    start : ExcitationParameters
    free : sequence of str
    x : (n_free,) array

    Raises
    ------
    InputError
        If a name is none of ``SCALARS``, ``SHIFTS``, ``TABLES``.
    """
    out = start
    for name, step in zip(free, x.tolist(), strict=True):
        head, _, element = name.partition(".")
        if head in SHIFTS:
            out = replace(out, **{head: getattr(out, head) + step})
        elif head in SCALARS:
            out = replace(out, **{head: getattr(out, head) * np.exp(step)})
        elif head in TABLES:
            only = number_of(element) if element else None
            for table in TABLES[head]:
                new = {
                    z: value * np.exp(step) if only in (None, z) else value
                    for z, value in getattr(out, table).items()
                }
                out = replace(out, **{table: new})  # type: ignore[arg-type]
        else:
            known = ", ".join((*SCALARS, *SHIFTS, *TABLES))
            raise InputError(f"{name!r} is none of {known}")
    return out


@dataclass(frozen=True, eq=False)
class Comparison:
    """Model and reference energies of the matched states of one case and multiplicity.

    Attributes
    ----------
    multiplicity : "singlet" or "triplet"
    index : (k,) int array
        Which valence state of the reference, 0 is the lowest.
    model, reference : (k,) array
        Hartree.
    weight : (k,) array
        How sure the match is, between 0 and 1.
    slopes : (k, n_free) array
        d(model energy) / d(each free number).
    lowest : tuple of float
        Lowest model state and lowest valence state of the reference, whatever their character.
    """

    multiplicity: Multiplicity
    index: np.ndarray
    model: np.ndarray
    reference: np.ndarray
    weight: np.ndarray
    slopes: np.ndarray
    lowest: tuple[float, float]


def compare(
    case: Case, constants: ExcitationParameters, free: Sequence[str] = ()
) -> list[Comparison]:
    """Excited states of one case with these constants, matched, with their slopes."""
    between = case.interaction(constants)
    out = []
    for multiplicity, reference in case.energies.items():
        states = excite(case.state, between, N_MODEL, multiplicity)
        found, weight = match(case, states)
        index = np.flatnonzero(found >= 0)
        slopes = [_slopes(case, states, int(k), between, free) for k in found[index]]
        out.append(
            Comparison(
                multiplicity,
                index,
                states.energies[found[index]],
                reference[index],
                weight[index],
                np.array(slopes).reshape(index.size, len(free)),
                (
                    float(states.energies[0]) if states.n_state else float("nan"),
                    float(reference[0]) if reference.size else float("nan"),
                ),
            )
        )
    return out


def _slopes(
    case: Case, states: Excitations, k: int, between: Interaction, free: Sequence[str]
) -> list[float]:
    """Derivatives of one energy by the free numbers."""
    if not free:
        return []
    one = slice(k, k + 1)
    alone = replace(states, energies=states.energies[one], amplitudes=states.amplitudes[one])
    bar = excite_adjoint(alone, case.state, between, np.ones(1))
    by_table = {
        "hardness": bar.hardness * between.hardness,
        "exchange_sp": bar.exchange[:, 0] * between.exchange[:, 0],
        "exchange_pp": bar.exchange[:, 1] * between.exchange[:, 1],
    }
    out = []
    for name in free:
        head, _, element = name.partition(".")
        if head in Scalars._fields:
            unit = 1.0 if head in SHIFTS else getattr(between.scalars, head)
            out.append(getattr(bar.scalars, head) * unit)
            continue
        per_atom = sum(by_table[table] for table in TABLES[head])
        atoms = case.structure.numbers == number_of(element) if element else slice(None)
        out.append(float(np.sum(np.asarray(per_atom)[atoms])))
    return out


def fit_constants(
    cases: Sequence[Case],
    start: ExcitationParameters,
    options: FitOptions,
    begin: np.ndarray | None = None,
) -> np.ndarray:
    """Minimise a robust loss of the matched energies plus a Gaussian prior.

    L = sum_states 2 w (sqrt(1 + (e / SOFT)^2) - 1) + sum (x / prior)^2 by Gauss-Newton steps with
    the weights of iteratively reweighted least squares. Slopes are those of single states
    (dw = X^T dA X, exact where a state is not degenerate), the matching is renewed at every step.

    Parameters
    ----------
    cases : sequence of Case
    start : ExcitationParameters
        Centre of the prior.
    options : FitOptions
    begin : (n_free,) array, optional
        Where the iteration begins; zero by default.

    Returns
    -------
    (n_free,) array for :func:`changed`.
    """
    free = options.free
    x = np.zeros(len(free)) if begin is None else begin.copy()
    for count in range(MAX_STEPS):
        curvature = np.eye(len(free)) / options.prior**2
        gradient = x / options.prior**2
        constants = changed(start, free, x)
        for case in cases:
            for found in compare(case, constants, free):
                error = (found.model - found.reference) / SOFT
                weight = found.weight * np.where(found.index == 0, 1.0, HIGHER)
                weight /= np.sqrt(1.0 + error**2)
                slopes = found.slopes / SOFT
                curvature += slopes.T @ (weight[:, None] * slopes)
                gradient += slopes.T @ (weight * error)
        step = -np.linalg.solve(curvature, gradient)
        # matches that come and go let the last steps cycle: shorten them
        longest = LONGEST_STEP * SHORTER**count
        step *= min(1.0, longest / max(np.abs(step).max(), 1e-12))
        x = x + step
        if np.abs(step).max() < CONVERGED:
            break
    return x


def cross_validate(
    cases: Sequence[Case], start: ExcitationParameters, options: FitOptions, begin: np.ndarray
) -> list[list[Comparison]]:
    """Comparison of every case with constants fitted to the folds it is not in.

    Parameters
    ----------
    cases : sequence of Case
    start : ExcitationParameters
    options : FitOptions
    begin : (n_free,) array
        Best the fit to all cases.
    """
    out: list[list[Comparison]] = [[] for _ in cases]
    molecules = sorted({case.record.molecule for case in cases})
    # every k-th molecule by its hashed name: folds do not follow size or class
    molecules.sort(key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    fold_of = {name: k % options.folds for k, name in enumerate(molecules)}
    folds = [fold_of[case.record.molecule] for case in cases]
    for fold in range(options.folds):
        kept = [case for case, other in zip(cases, folds, strict=True) if other != fold]
        constants = changed(start, options.free, fit_constants(kept, start, options, begin))
        for k, case in enumerate(cases):
            if folds[k] == fold:
                out[k] = compare(case, constants)
    return out


def errors_of(comparisons: Sequence[Sequence[Comparison]]) -> dict[str, float]:
    """Mean and mean absolute errors, eV: lowest states, matched states, and how many."""
    out: dict[str, float] = {}
    for multiplicity, short in (("singlet", "s"), ("triplet", "t")):
        chosen = [c for found in comparisons for c in found if c.multiplicity == multiplicity]
        lowest = np.array([c.lowest[0] - c.lowest[1] for c in chosen if np.isfinite(c.lowest[1])])
        matched = np.concatenate([c.model - c.reference for c in chosen] or [np.empty(0)])
        for name, error in ((f"{short}1", lowest), (f"{multiplicity}s", matched)):
            error = error * HARTREE_EV
            out[f"{name}_count"] = error.size
            if error.size:
                out[f"{name}_mean_ev"] = round(float(error.mean()), 4)
                out[f"{name}_mae_ev"] = round(float(np.abs(error).mean()), 4)
    return out


def calibrate(
    parameters: Parameters, dataset: ReferenceDataset, options: FitOptions | None = None
) -> Parameters:
    """Parameter set with constants fitted to a dataset; its test molecules only measure.

    Records without full singlets take part with those of TDA-ris (:func:`with_singlets`).
    The header's ``excitation_fit`` states data, options and errors before the fit, after it, in
    cross-validation and on the test molecules, all against the shifted reference.
    """
    options = options or FitOptions()
    start = ExcitationParameters()
    shift = options.triplet_shift
    cases, test = _fitted_and_test(parameters, [with_singlets(r) for r in dataset], shift)
    x = fit_constants(cases, start, options)
    constants = changed(start, options.free, x)
    provenance = {
        "reference": dataset.provenance,
        "dataset_checksum": dataset.checksum,
        "molecules": len({case.record.molecule for case in cases}),
        "options": asdict(options),
        "errors": _all_errors(cases, test, start, options, x),
    }
    return parameters.with_excitation(constants, provenance)


def _fitted_and_test(
    parameters: Parameters, records: Sequence[Reference], shift: float = 0.0
) -> tuple[list[Case], list[Case]]:
    """Cases to fit to, and those of test molecules, if any."""
    cases = cases_of(parameters, [r for r in records if r.split != "test"], shift)
    held_out = [r for r in records if r.split == "test"]
    return cases, cases_of(parameters, held_out, shift) if held_out else []


def _all_errors(
    cases: Sequence[Case],
    test: Sequence[Case],
    start: ExcitationParameters,
    options: FitOptions,
    x: np.ndarray,
) -> dict[str, dict[str, float]]:
    """Errors before and after a fit, in cross-validation, and on molecules outside it."""
    constants = changed(start, options.free, x)
    return {
        "before": errors_of([compare(case, start) for case in cases]),
        "after": errors_of([compare(case, constants) for case in cases]),
        "cross_validation": errors_of(cross_validate(cases, start, options, x)),
        "test_before": errors_of([compare(case, start) for case in test]),
        "test": errors_of([compare(case, constants) for case in test]),
    }


def extend(
    parameters: Parameters,
    dataset: ReferenceDataset,
    elements: Sequence[str],
    options: FitOptions | None = None,
) -> Parameters:
    """Constants of further elements, fitted to TDA-ris singlets; all other constants stay.

    Hardness and one-center exchange integrals of each element are free. The header's
    ``excitation_fit`` states data and errors under ``further_elements``.

    Parameters
    ----------
    parameters : Parameters
        With constants fitted by :func:`calibrate`.
    dataset : ReferenceDataset
        Those of its molecules that hold one of the elements and have TDA-ris singlets are fitted
        to; the test molecules only measure.
    elements : sequence of str
    options : FitOptions, optional

    Raises
    ------
    InputError
        If no molecule is left.
    """
    free = tuple(f"{table}.{e}" for e in elements for table in ("hardness", "exchange"))
    options = replace(options or FitOptions(), free=free)
    start = parameters.excitation
    chosen = [
        shifted_ris(record)
        for record in dataset
        if record.ris_energies is not None and set(record.structure.symbols) & set(elements)
    ]
    cases, test = _fitted_and_test(parameters, chosen)
    x = fit_constants(cases, start, options)
    constants = changed(start, options.free, x)
    found = {
        "elements": list(elements),
        "dataset_checksum": dataset.checksum,
        "molecules": len({case.record.molecule for case in cases}),
        "ris_shift": RIS_SHIFT,
        "errors": _all_errors(cases, test, start, options, x),
    }
    before = parameters.header.get("excitation_fit")
    provenance = dict(before) if isinstance(before, dict) else {}
    return parameters.with_excitation(constants, provenance | {"further_elements": found})
