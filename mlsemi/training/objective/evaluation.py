"""Losses and errors of a model on many reference records."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from mlsemi.ground.adjoint import reverse
from mlsemi.ground.state import ground_state
from mlsemi.model.model import Model
from mlsemi.molecule.pairs import PairList
from mlsemi.training.objective.force_matching import (
    displaced,
    energy_gradient,
    forces_of,
    has_response,
)
from mlsemi.training.objective.loss import (
    WITHOUT_ORBITALS,
    Errors,
    LossWeights,
    Target,
    force_loss,
    structure_loss,
)
from mlsemi.training.objective.surface_loss import multipoles_loss, surface_loss
from mlsemi.units import AU_DEBYE, FORCE_EV_ANGSTROM, HARTREE_EV

BATCH = 8
"""Structures that are looked at together."""


def batch_loss(
    model: Model,
    targets: Sequence[Target],
    weights: LossWeights,
    with_gradient: bool = True,
    silent: Collection[int] = (),
) -> tuple[list[float], list[Errors], dict[str, np.ndarray]]:
    """Losses and errors of several structures and the gradient of the summed loss.

    A gradient that needs no orbitals comes without: there are no errors then, and only the mean of
    the losses is known.

    Parameters
    ----------
    model : Model
    targets : sequence of Target
    weights : LossWeights
    with_gradient : bool
    silent : collection of int
        Targets whose forces are left out, by their place in ``targets``.

    Returns
    -------
    losses (in eV^2: a.u. times the square of one hartree in eV), errors, gradients of all weights
    """
    if with_gradient and not (weights.read_orbitals or model.form.band):
        records = [
            replace(t.record, forces=None) if k in silent else t.record
            for k, t in enumerate(targets)
        ]
        loss, gradients = surface_loss(model, records, weights)
        square = HARTREE_EV**2
        scaled = {name: square * value for name, value in gradients.items()}
        return [square * loss / len(targets)] * len(targets), [], scaled
    pairs = PairList.of(
        [t.record.structure for t in targets], model.form.elements, model.form.cutoff
    )
    prediction, record = model.predict(pairs)
    grounds = [ground_state(model, prediction, index) for index in range(len(targets))]
    rows = [
        structure_loss(t, g, terms_of(t, weights)) for t, g in zip(targets, grounds, strict=True)
    ]
    losses = [loss * HARTREE_EV**2 for loss, _, _ in rows]
    errors: list[Errors] = [error for _, error, _ in rows]
    bars = [bar for _, _, bar in rows]
    known = [k for k, t in enumerate(targets) if t.record.forces is not None and k not in silent]
    forces_bar = {}
    if weights.forces and known:
        found = forces_of(model, prediction, record, grounds, known)
        for k, forces in zip(known, found, strict=True):
            loss, error, bar = force_loss(targets[k], forces, weights)
            losses[k] += loss * HARTREE_EV**2
            errors[k] = errors[k]._replace(forces=error)
            forces_bar[k] = bar
    multipoles_bar = None
    if weights.multipoles and model.form.bonded:
        atoms = [pairs.atoms_of(k) for k in range(len(targets))]
        records = [t.record for t in targets]
        more, multipoles_bar = multipoles_loss(
            atoms, prediction.multipoles, records, weights, model.form.quadrupoles
        )
        losses = [loss + more * HARTREE_EV**2 / len(losses) for loss in losses]
    if not with_gradient:
        return losses, errors, {}
    moved, slopes = [], []
    for k, bar in forces_bar.items():
        if beside := displaced(targets[k].record.structure, bar):
            moved.append(beside[0])
            slopes.append(beside[1])
            bars[k] = bars[k]._replace(energy=bars[k].energy - beside[1])
    gradients, _ = reverse(model, prediction, record, grounds, bars, multipoles_bar=multipoles_bar)
    if moved:
        for name, value in energy_gradient(model, moved, slopes).items():
            gradients[name] += value
    for value in gradients.values():
        value *= HARTREE_EV**2
    return losses, errors, gradients


def terms_of(target: Target, weights: LossWeights) -> LossWeights:
    """What a record teaches: an ion or a radical among others energy and forces alone."""
    return weights.of(WITHOUT_ORBITALS) if has_response(target.record.structure) else weights


def summarise(losses: Sequence[float], errors: Sequence[Errors]) -> dict[str, float]:
    """Mean absolute errors in eV, e, D (vector length) and eV/angstrom, and the mean loss.

    Those of the forces are absent if nothing had forces, all if nothing was compared.
    """
    if not errors:
        return {"loss": float(np.mean(losses))}
    lumo = np.array([e.lumo for e in errors])
    known = lumo[np.isfinite(lumo)]
    row = {
        "loss": float(np.mean(losses)),
        "occupied_ev": float(np.abs(np.concatenate([e.occupied for e in errors])).mean())
        * HARTREE_EV,
        "homo_ev": float(np.mean([abs(e.homo) for e in errors])) * HARTREE_EV,
        "lumo_ev": float(np.abs(known).mean()) * HARTREE_EV if known.size else float("nan"),
        "charges_e": float(np.abs(np.concatenate([e.charges for e in errors])).mean()),
        "dipole_debye": float(np.mean([np.linalg.norm(e.dipole) for e in errors])) * AU_DEBYE,
        "energy_ev": float(np.mean([abs(e.energy) for e in errors])) * HARTREE_EV,
    }
    forces = [np.abs(e.forces).ravel() for e in errors if e.forces is not None]
    if forces:
        row["forces_ev_per_angstrom"] = float(np.concatenate(forces).mean()) * FORCE_EV_ANGSTROM
    return row


def losses_and_errors(
    model: Model, targets: Sequence[Target], weights: LossWeights
) -> tuple[list[float], list[Errors]]:
    """Losses (eV^2) and errors (model minus reference, atomic units) of many records."""
    losses: list[float] = []
    errors: list[Errors] = []
    for start in range(0, len(targets), BATCH):
        part, part_errors, _ = batch_loss(model, targets[start : start + BATCH], weights, False)
        losses += part
        errors += part_errors
    return losses, errors


def evaluate_model(
    model: Model, targets: Sequence[Target], weights: LossWeights
) -> dict[str, float]:
    """Mean errors of a model on many records."""
    return summarise(*losses_and_errors(model, targets, weights))
