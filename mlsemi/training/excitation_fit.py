"""Constants of the excited states, fitted to full Tamm-Dancoff calculations.

The orbitals stay those of a given parameter set; a few constants of theory eqs 7-9 are scaled so
that its simplified Tamm-Dancoff energies match the reference. States are matched by the overlap
of their transition densities, X_AO = C_occ X C_vir^T in the Loewdin frame of the model and
sum_ia X_ia t_i t_a^T in the IAO frame of the reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from mlsemi.basis import Basis
from mlsemi.eigen import ElectronicState
from mlsemi.elements import number_of
from mlsemi.errors import InputError
from mlsemi.excitations import (
    ExcitedStates,
    Multiplicity,
    build_interaction,
    excite_adjoint,
    excite_with,
)
from mlsemi.monopoles import ExcitationParameters, Interaction
from mlsemi.parameters import Parameters
from mlsemi.singlepoint import singlepoint
from mlsemi.structure import Structure
from mlsemi.training.dataset import Reference, ReferenceDataset
from mlsemi.units import HARTREE_EV

MULTIPLICITIES: tuple[Multiplicity, ...] = ("singlet", "triplet")
SCALARS = ("ax", "alpha_k", "beta_j")
TABLES = {
    "hardness": ("hardness",),
    "exchange_sp": ("exchange_sp",),
    "exchange_pp": ("exchange_pp",),
    "exchange": ("exchange_sp", "exchange_pp"),
}
FREE = ("ax", "alpha_k", "beta_j", "hardness", "exchange")
"""What is fitted by default; ``hardness.O`` would be the table's entry of one element alone."""

VALENCE_NORM = 0.7
"""Squared norm of a transition density in the valence frame above which a state is fitted."""

SAME_STATE, SURELY_SAME = 0.5, 0.7
"""Squared overlaps of normalised transition densities between which a match gains its weight.

A pair may change partners where its overlaps tie, at one half at most: the loss stays continuous.
"""

DEGENERATE = 2e-3
"""Model states closer than this (hartree) share their overlaps with a reference state."""

N_MODEL = 20
"""Model states per multiplicity among which the reference states are looked for."""

MAX_STEPS, LONGEST_STEP, SHORTER, CONVERGED = 40, 0.3, 0.85, 1e-3
"""Of the fit, in logarithms of the constants."""


@dataclass(frozen=True)
class FitOptions:
    """How the constants are fitted.

    Attributes
    ----------
    free : tuple of str
        Names of the constants: scalars, tables (one factor for all elements), table entries.
    soft : float
        Error in hartree at which the loss turns from quadratic to linear.
    higher : float
        Weight of higher states relative to the lowest of its multiplicity.
    prior : float
        Standard deviation of the logarithm of each constant about its start value.
    folds : int
        Of the cross-validation.
    """

    free: tuple[str, ...] = FREE
    soft: float = 0.25 / HARTREE_EV
    higher: float = 0.5
    prior: float = 0.5
    folds: int = 6


@dataclass(frozen=True, eq=False)
class Case:
    """One molecule: the model's orbitals and the valence states of the reference.

    Attributes
    ----------
    record : Reference
    state : ElectronicState
    energies : dict of multiplicity to (k,) array
        Valence states of the reference, hartree.
    transitions : dict of multiplicity to (k, n, n) array
        Their normalised transition densities.
    """

    record: Reference
    state: ElectronicState
    energies: dict[Multiplicity, np.ndarray]
    transitions: dict[Multiplicity, np.ndarray]

    @property
    def structure(self) -> Structure:
        """Geometry."""
        return self.record.structure

    def interaction(self, constants: ExcitationParameters) -> Interaction:
        """Screened interaction with these constants."""
        basis = Basis.of(self.structure)
        return build_interaction(
            self.structure.numbers,
            self.structure.positions,
            basis.orbital_atom,
            basis.orbital_l,
            constants,
        )


def valence_states(record: Reference, multiplicity: Multiplicity) -> tuple[np.ndarray, np.ndarray]:
    """Energies and normalised transition densities of the valence states of a record.

    Left out are states with less than ``VALENCE_NORM`` of their squared norm in the valence
    frame: Rydberg states, which a valence basis cannot describe.

    Returns
    -------
    (k,) array, hartree, and (k, n, n) array; empty if the record has no excitations.
    """
    energies = getattr(record, f"{multiplicity}_energies")
    densities = getattr(record, f"{multiplicity}_transitions")
    if energies is None or densities is None:
        n = record.structure.n_orbital
        return np.empty(0), np.empty((0, n, n))
    norm = np.sum(densities**2, axis=(1, 2))
    valence = norm > VALENCE_NORM
    return energies[valence], densities[valence] / np.sqrt(norm[valence])[:, None, None]


def cases_of(parameters: Parameters, records: Sequence[Reference]) -> list[Case]:
    """Orbitals of a parameter set beside the valence states of each record.

    Raises
    ------
    InputError
        If no record has excitations.
    """
    cases = []
    for record in records:
        if record.singlet_energies is not None:
            found = {kind: valence_states(record, kind) for kind in MULTIPLICITIES}
            state = singlepoint(record.structure, parameters=parameters).state
            energies = {kind: pair[0] for kind, pair in found.items()}
            transitions = {kind: pair[1] for kind, pair in found.items()}
            cases.append(Case(record, state, energies, transitions))
    if not cases:
        raise InputError("no record of the dataset has excitations: compute with --excitations N")
    return cases


def scaled(
    start: ExcitationParameters, free: Sequence[str], logarithms: np.ndarray
) -> ExcitationParameters:
    """Constants times exp(logarithm), for each free name."""
    out = start
    for name, factor in zip(free, np.exp(logarithms), strict=True):
        head, _, element = name.partition(".")
        if head in SCALARS:
            out = replace(out, **{head: getattr(out, head) * float(factor)})
            continue
        if head not in TABLES:
            raise InputError(f"{name!r} is none of {', '.join((*SCALARS, *TABLES))}")
        only = number_of(element) if element else None
        for table in TABLES[head]:
            old = getattr(out, table)
            new = {z: v * float(factor) if only in (None, z) else v for z, v in old.items()}
            out = replace(out, **{table: new})  # type: ignore[arg-type]
    return out


def match(case: Case, states: ExcitedStates) -> tuple[np.ndarray, np.ndarray]:
    """Model state of each valence state of the reference, -1 where none resembles it, and weight.

    Hungarian assignment on squared overlaps of transition densities; degenerate model states
    share theirs, since they may be rotated among each other.

    Returns
    -------
    (k,) int array and (k,) array between 0 and 1.
    """
    target = case.transitions[states.multiplicity]
    found, weight = np.full(len(target), -1), np.zeros(len(target))
    if not target.size or not states.n_state:
        return found, weight
    n = case.state.n_occupied
    mine = case.state.orbitals[:, :n] @ states.amplitudes @ case.state.orbitals[:, n:].T
    overlap = np.tensordot(target, mine, ((1, 2), (1, 2))) ** 2
    together = np.abs(states.energies[:, None] - states.energies[None, :]) < DEGENERATE
    shared = overlap @ together
    rows, columns = linear_sum_assignment(-shared)
    weight[rows] = np.clip((shared[rows, columns] - SAME_STATE) / (SURELY_SAME - SAME_STATE), 0, 1)
    found[rows] = np.where(weight[rows] > 0.0, columns, -1)
    return found, weight


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
        d(model energy) / d(logarithm of each free constant).
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
        states = excite_with(case.state, between, N_MODEL, multiplicity)
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
    case: Case, states: ExcitedStates, k: int, between: Interaction, free: Sequence[str]
) -> list[float]:
    """Derivatives of one energy by the logarithms of the free constants."""
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
        if head in SCALARS:
            out.append(getattr(bar, head) * getattr(between, head))
            continue
        per_atom = sum(by_table[table] for table in TABLES[head])
        atoms = case.structure.numbers == number_of(element) if element else slice(None)
        out.append(float(np.sum(np.asarray(per_atom)[atoms])))
    return out


def fit_constants(
    cases: Sequence[Case], start: ExcitationParameters, options: FitOptions
) -> ExcitationParameters:
    """Minimise a robust loss of the matched energies plus a Gaussian prior.

    L = sum_states 2 w (sqrt(1 + (e / soft)^2) - 1) + sum_constants (x / prior)^2 by Gauss-Newton
    steps with the weights of iteratively reweighted least squares. Slopes are exact
    (dw = X^T dA X), the matching is renewed at every step.
    """
    free = options.free
    logarithms = np.zeros(len(free))
    for count in range(MAX_STEPS):
        curvature = np.eye(len(free)) / options.prior**2
        gradient = logarithms / options.prior**2
        constants = scaled(start, free, logarithms)
        for case in cases:
            for found in compare(case, constants, free):
                error = (found.model - found.reference) / options.soft
                weight = found.weight * np.where(found.index == 0, 1.0, options.higher)
                weight /= np.sqrt(1.0 + error**2)
                slopes = found.slopes / options.soft
                curvature += slopes.T @ (weight[:, None] * slopes)
                gradient += slopes.T @ (weight * error)
        step = -np.linalg.solve(curvature, gradient)
        # matches that come and go let the last steps cycle: shorten them
        longest = LONGEST_STEP * SHORTER**count
        step *= min(1.0, longest / max(np.abs(step).max(), 1e-12))
        logarithms = logarithms + step
        if np.abs(step).max() < CONVERGED:
            break
    return scaled(start, free, logarithms)


def cross_validate(
    cases: Sequence[Case], start: ExcitationParameters, options: FitOptions
) -> list[list[Comparison]]:
    """Comparison of every case with constants fitted to the folds it is not in."""
    out: list[list[Comparison]] = [[] for _ in cases]
    molecules = sorted({case.record.molecule for case in cases})
    # every k-th molecule by its hashed name: folds do not follow size or class
    molecules.sort(key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    fold_of = {name: k % options.folds for k, name in enumerate(molecules)}
    folds = [fold_of[case.record.molecule] for case in cases]
    for fold in range(options.folds):
        kept = [case for case, other in zip(cases, folds, strict=True) if other != fold]
        constants = fit_constants(kept, start, options)
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

    The header's ``excitation_fit`` states data, options and errors before the fit, after it, in
    cross-validation and on the test molecules.
    """
    options = options or FitOptions()
    start = ExcitationParameters()
    cases = cases_of(parameters, [r for r in dataset if r.split != "test"])
    held_out = [r for r in dataset if r.split == "test"]
    test = cases_of(parameters, held_out) if held_out else []
    constants = fit_constants(cases, start, options)
    provenance = {
        "reference": dataset.provenance,
        "dataset_checksum": dataset.checksum,
        "molecules": len({case.record.molecule for case in cases}),
        "options": asdict(options),
        "errors": {
            "before": errors_of([compare(case, start) for case in cases]),
            "after": errors_of([compare(case, constants) for case in cases]),
            "cross_validation": errors_of(cross_validate(cases, start, options)),
            "test_before": errors_of([compare(case, start) for case in test]),
            "test": errors_of([compare(case, constants) for case in test]),
        },
    }
    return parameters.with_excitation(constants, provenance)
