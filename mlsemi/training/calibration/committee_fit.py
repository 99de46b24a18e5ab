"""The committee of a trained model: bootstrap of its last layer, linearised, and its calibration.

The shifts of :mod:`mlsemi.model.committee` change observables linearly, y -> y + J theta. Fitted to
the errors r of the training molecules they would be theta = -A^-1 sum_m g_m with A = J^T J + ridge
and g_m = J_m^T r_m of molecule m. Had the training set been another sample of molecules, the sum
would be another; the members are

    theta_k = A^-1 sum_m xi_km g_m,    xi_km normal with mean zero and unit variance,

the multiplier bootstrap. Their covariance A^-1 (sum_m g_m g_m^T) A^-1 is the sandwich estimator
(White, Econometrica 50, 1 (1982)): it is large for features that the training set holds rarely and
for those whose molecules it fits badly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.optimize import minimize

from mlsemi.excited.excitations import excite
from mlsemi.ground.state import ground_state
from mlsemi.model.committee import (
    ENERGY,
    Calibration,
    Committee,
    committee_inputs,
    distances,
    shifts_of,
)
from mlsemi.model.model import Model
from mlsemi.model.terms.domain import INSIDE
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.orbitals.observables import shell_populations, shells_of
from mlsemi.parameters import Parameters
from mlsemi.records.uncertainty import Uncertainty, charge_response
from mlsemi.training.data.dataset import Reference
from mlsemi.training.objective.excitation_cases import (
    MULTIPLICITIES,
    cases_of,
    match,
    triplet_shift_of,
)
from mlsemi.training.objective.loss import Errors, LossWeights, Target, structure_loss
from mlsemi.units import HARTREE_EV

LEVEL_WIDTH = 0.05 / HARTREE_EV
CHARGE_WIDTH = 0.007
"""Errors in these units count alike; about what a trained model has."""

RIDGE = 1e-3
"""Per observable, with every feature scaled to unit mean square."""

COVERED = 0.6827
"""Share of the validation errors that are smaller than the uncertainty: one standard deviation."""

N_STATES = 12
"""Model states per multiplicity among which those of the reference are looked for."""

BATCH = 8


class Point(NamedTuple):
    """One reference record beside what the model says of it.

    Attributes
    ----------
    target : Target
    state : ElectronicState
    errors : Errors
    inputs : (n_atom, n_input) array
        What the members are linear in; atoms in the order of the structure.
    species : (n_atom,) int array
    """

    target: Target
    state: ElectronicState
    errors: Errors
    inputs: np.ndarray
    species: np.ndarray

    @property
    def structure(self) -> Structure:
        """Geometry."""
        return self.target.record.structure


def points_of(model: Model, records: Sequence[Reference]) -> Iterator[Point]:
    """Predictions and errors of many records."""
    for start in range(0, len(records), BATCH):
        targets = [Target(record) for record in records[start : start + BATCH]]
        structures = [target.record.structure for target in targets]
        pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
        prediction, _ = model.predict(pairs)
        inputs = committee_inputs(pairs, prediction.invariants, model.weights)
        for index, target in enumerate(targets):
            ground = ground_state(model, prediction, index)
            _, errors, _ = structure_loss(target, ground, LossWeights())
            rows = pairs.atoms_of(index)
            yield Point(target, ground.state, errors, inputs[rows], pairs.species[rows])


def observations(point: Point, n_species: int) -> tuple[np.ndarray, np.ndarray]:
    """J and r of the levels and charges of one record, in units of their widths.

    Returns
    -------
    (n, n_species * n_input * 2) array and (n,) array.
    """
    n = point.state.n_occupied
    known = n + int(np.isfinite(point.errors.lumo))
    levels = shell_populations(point.structure, point.state.orbitals[:, :known]).T
    charges = charge_response(point.structure, point.state)
    lumo = [point.errors.lumo] if known > n else []
    responses = np.concatenate([levels / LEVEL_WIDTH, charges / CHARGE_WIDTH])
    errors = np.concatenate([point.errors.occupied / LEVEL_WIDTH, np.array(lumo) / LEVEL_WIDTH,
                             point.errors.charges / CHARGE_WIDTH])  # fmt: skip
    atom, momentum, _ = shells_of(point.structure)
    design = np.zeros((len(errors), n_species, point.inputs.shape[1], 2))
    for species in np.unique(point.species):
        for column in (0, 1):
            mine = np.flatnonzero((point.species[atom] == species) & (momentum == column))
            design[:, species, :, column] = responses[:, mine] @ point.inputs[atom[mine]]
    return design.reshape(len(errors), -1), errors


def energy_observation(point: Point, n_species: int) -> tuple[np.ndarray, np.ndarray]:
    """J and r of the total energy, in units of a level's width: (1, n), (1,)."""
    design = np.zeros((n_species, point.inputs.shape[1]))
    np.add.at(design, point.species, point.inputs)
    return design.reshape(1, -1) / LEVEL_WIDTH, np.array([point.errors.energy]) / LEVEL_WIDTH


class Bootstrap:
    """Normal equations of one set of shifts, and the pull of every molecule on them."""

    def __init__(self, n: int) -> None:
        self.gram = np.zeros((n, n))
        self.pulls: dict[str, np.ndarray] = {}
        self.count = 0

    def add(self, molecule: str, design: np.ndarray, errors: np.ndarray) -> None:
        """Take in one record.

        Parameters
        ----------
        molecule : str
        design : (n, n_weight) array
            Derivatives of the errors by the weights of the last layer.
        errors : (n,) array
            In units of their widths.
        """
        used = np.flatnonzero(design.any(axis=0))
        part = design[:, used]
        self.gram[np.ix_(used, used)] += part.T @ part
        self.pulls.setdefault(molecule, np.zeros(len(self.gram)))[used] += part.T @ errors
        self.count += len(errors)

    def members(self, draws: np.ndarray) -> np.ndarray:
        """(n, n_member) shifts from the numbers xi (n_molecule, n_member)."""
        size = np.sqrt(np.diag(self.gram) / self.count)
        size[size == 0.0] = 1.0
        scaled = self.gram / size[:, None] / size
        scaled[np.diag_indices_from(scaled)] += RIDGE * self.count
        pulled = np.stack(list(self.pulls.values()), axis=1) @ draws
        solved = scipy.linalg.solve(scaled, pulled / size[:, None], assume_a="pos")
        return np.asarray(solved / size[:, None])


def fit_members(model: Model, records: Sequence[Reference], n_member: int, seed: int) -> Committee:
    """Committee without calibration.

    Parameters
    ----------
    model : Model
        With the center and spread of its training domain, which scale the invariants.
    records : sequence of Reference
        Training records.
    n_member, seed : int
    """
    n_species, n_input = len(model.form.elements), 1 + model.form.n_invariant
    levels = Bootstrap(n_species * n_input * 2)
    energies = Bootstrap(n_species * n_input)
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    for point in points_of(model, records):
        molecule = point.target.record.molecule
        levels.add(molecule, *observations(point, n_species))
        energies.add(molecule, *energy_observation(point, n_species))
        seen.append((point.inputs, point.species))
    draws = np.random.default_rng(seed).normal(size=(len(levels.pulls), n_member))
    shifts = np.zeros((n_species, n_input, 3, n_member))
    shifts[:, :, :ENERGY] = levels.members(draws).reshape(n_species, n_input, 2, n_member)
    shifts[:, :, ENERGY] = energies.members(draws).reshape(n_species, n_input, n_member)
    return Committee(shifts, {}, _limits(shifts, seen))


def _limits(shifts: np.ndarray, seen: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Distance below which ``INSIDE`` of the training atoms of each species lie."""
    distance = np.concatenate([distances(shifts_of(x, species, shifts)) for x, species in seen])
    species = np.concatenate([species for _, species in seen])
    limit = np.zeros(len(shifts))
    for row in np.unique(species):
        limit[row] = np.quantile(distance[species == row], INSIDE)
    return limit


def errors_and_spreads(
    model: Model, committee: Committee, records: Sequence[Reference]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Absolute errors and uncertainties of every quantity but excitations, a.u.

    With ``committee.calibration`` empty the uncertainties are the bare spreads.
    """
    found: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for point in points_of(model, records):
        shifts = shifts_of(point.inputs, point.species, committee.shifts)
        spread = Uncertainty(point.structure, point.state, shifts, committee.calibration)
        e, n = point.errors, point.state.n_occupied
        rows = {
            "occupied": (e.occupied, spread.energies[:n]),
            "homo": (e.homo, spread.homo),
            "lumo": (e.lumo, spread.lumo),
            "virtual": (e.virtual, spread.energies[point.target.match(point.state)[0]]),
            "gap": (e.lumo - e.homo, spread.gap),
            "charges": (e.charges, spread.charges),
            "dipole": (np.linalg.norm(e.dipole), spread.dipole),
            "energy": (e.energy, spread.energy),
        }
        for name, pair in rows.items():
            for kept, value in zip(found.setdefault(name, ([], [])), pair, strict=True):
                kept.append(np.atleast_1d(np.abs(value)))
    return {name: _known(*pair) for name, pair in found.items()}


def excitation_errors_and_spreads(
    parameters: Parameters, committee: Committee, records: Sequence[Reference]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The same of the valence excitations, for records that have some; empty without any.

    Triplets are compared with those of the records as they were shifted for the fit.
    """
    excited = [record for record in records if record.singlet_energies is not None]
    if not excited:
        return {}
    found: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    points = points_of(parameters.model, excited)
    cases = cases_of(parameters, excited, triplet_shift_of(parameters))
    for case, point in zip(cases, points, strict=True):
        shifts = shifts_of(point.inputs, point.species, committee.shifts)
        spread = Uncertainty(point.structure, point.state, shifts, committee.calibration)
        between = case.interaction(parameters.excitation)
        for kind in MULTIPLICITIES:
            states = excite(case.state, between, N_STATES, kind)
            partner, _ = match(case, states)
            sure = partner >= 0
            error = states.energies[partner[sure]] - case.energies[kind][sure]
            lists = found.setdefault(f"{kind}s", ([], []))
            lists[0].append(np.abs(error))
            lists[1].append(spread.excitations(states)[partner[sure]])
    return {name: _known(*pair) for name, pair in found.items()}


def _known(
    errors: Sequence[np.ndarray], spreads: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    error, spread = np.concatenate(errors), np.concatenate(spreads)
    known = np.isfinite(error) & np.isfinite(spread)
    return error[known], spread[known]


def calibrated(error: np.ndarray, spread: np.ndarray) -> Calibration:
    """Factor and floor with the smallest quantile loss of the errors at ``COVERED``.

    The quantile (pinball) loss is proper: it is smallest where that share of the errors lies below
    the uncertainty, for large and for small spreads (Koenker and Bassett, Econometrica 46, 33
    (1978)).
    """
    size, typical = float(np.median(error)), float(np.median(spread))
    if not size or not typical:
        return Calibration()

    def loss(logarithms: np.ndarray) -> float:
        above = error - _calibration(logarithms, size, typical)(spread)
        return float(np.mean(np.maximum(COVERED * above, (COVERED - 1.0) * above)))

    starts = [np.array(x) for x in ((0.0, 0.0), (1.0, -3.0), (-2.0, 0.5))]
    fits = [minimize(loss, x, method="Nelder-Mead", bounds=[(-6.0, 6.0)] * 2) for x in starts]
    return _calibration(min(fits, key=lambda fit: float(fit.fun)).x, size, typical)


def _calibration(logarithms: np.ndarray, size: float, typical: float) -> Calibration:
    factor, floor = np.exp(logarithms)
    return Calibration(float(factor) * size / typical, float(floor) * size)


def with_fitted_committee(
    parameters: Parameters,
    train: Sequence[Reference],
    validation: Sequence[Reference],
    n_member: int,
    seed: int = 0,
    excited: Sequence[Reference] = (),
) -> Parameters:
    """The parameter set with a committee, calibrated on validation records.

    Parameters
    ----------
    parameters : Parameters
    train, validation : sequence of Reference
        The training records of the set, and others of the same level.
    n_member, seed : int
    excited : sequence of Reference
        Validation records with excitations, of any level, which calibrate those.
    """
    model = parameters.model
    committee = fit_members(model, train, n_member, seed)
    pairs = errors_and_spreads(model, committee, validation)
    pairs |= excitation_errors_and_spreads(parameters, committee, excited)
    calibration = {name: calibrated(*pair) for name, pair in pairs.items() if pair[0].size}
    about = {
        "seed": seed,
        "training_structures": len(train),
        "validation_structures": len(validation),
        "excited_structures": len(excited),
    }
    return parameters.with_committee(replace(committee, calibration=calibration), about)
