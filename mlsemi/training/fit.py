"""Indirect training through the eigenproblem: ``mlsemi train config.toml``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mlsemi.adjoint import reverse
from mlsemi.domain import fit_domain
from mlsemi.errors import ParameterError
from mlsemi.forms import ModelForm
from mlsemi.ground import ground_state
from mlsemi.model import Model
from mlsemi.pairs import PairList
from mlsemi.parameters import Parameters, checksum_of
from mlsemi.training.checkpoint import TrainState
from mlsemi.training.committee_fit import with_fitted_committee
from mlsemi.training.config import Schedule, TrainConfig
from mlsemi.training.dataset import Reference, ReferenceDataset
from mlsemi.training.force_matching import force_gradient, forces_of
from mlsemi.training.loss import Errors, LossWeights, Target, force_loss, structure_loss
from mlsemi.training.progress import TrainingDisplay
from mlsemi.training.regression import initial_model
from mlsemi.training.ridge import ridge
from mlsemi.units import AU_DEBYE, FORCE_EV_ANGSTROM, HARTREE_EV

CHUNKS = 2
"""A batch is always cut into this many parts, so that results do not depend on threads."""


def batch_loss(
    model: Model,
    targets: Sequence[Target],
    weights: LossWeights,
    with_gradient: bool = True,
    silent: Collection[int] = (),
) -> tuple[list[float], list[Errors], dict[str, np.ndarray]]:
    """Losses and errors of several structures and the gradient of the summed loss.

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
    pairs = PairList.of(
        [t.record.structure for t in targets], model.form.elements, model.form.cutoff
    )
    prediction, record = model.predict(pairs)
    grounds = [ground_state(model, prediction, index) for index in range(len(targets))]
    rows = [structure_loss(t, g, weights) for t, g in zip(targets, grounds, strict=True)]
    losses = [loss * HARTREE_EV**2 for loss, _, _ in rows]
    errors = [error for _, error, _ in rows]
    known = [k for k, t in enumerate(targets) if t.record.forces is not None and k not in silent]
    forces_bar = []
    if weights.forces and known:
        found = forces_of(model, pairs, prediction, record, grounds, known)
        for k, forces in zip(known, found, strict=True):
            loss, error, bar = force_loss(targets[k], forces, weights)
            losses[k] += loss * HARTREE_EV**2
            errors[k] = errors[k]._replace(forces=error)
            forces_bar.append(bar)
    if not with_gradient:
        return losses, errors, {}
    gradients, _ = reverse(model, pairs, prediction, record, grounds, [bar for _, _, bar in rows])
    if forces_bar:
        structures = [targets[k].record.structure for k in known]
        for name, value in force_gradient(model, structures, forces_bar).items():
            gradients[name] += value
    for value in gradients.values():
        value *= HARTREE_EV**2
    return losses, errors, gradients


def summarise(losses: Sequence[float], errors: Sequence[Errors]) -> dict[str, float]:
    """Mean absolute errors in eV, e, D (vector length) and eV/angstrom, and the mean loss.

    Those of the forces are absent if nothing had forces.
    """
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


def evaluate_model(
    model: Model, targets: Sequence[Target], weights: LossWeights, batch: int = 8
) -> dict[str, float]:
    """Mean errors of a model on many records."""
    losses: list[float] = []
    errors: list[Errors] = []
    for start in range(0, len(targets), batch):
        part, part_errors, _ = batch_loss(model, targets[start : start + batch], weights, False)
        losses += part
        errors += part_errors
    return summarise(losses, errors)


class Trainer:
    """One training run: the state, one epoch, one step."""

    def __init__(
        self, config: TrainConfig, form: ModelForm, state: TrainState, train: list[Target]
    ) -> None:
        self.config, self.form, self.state, self.train = config, form, state, train
        self.n_batch = -(-len(train) // config.schedule.batch)

    def epoch(self, pool: ThreadPoolExecutor) -> dict[str, float]:
        """One pass over the training molecules in a fresh random order."""
        rng = np.random.default_rng()
        rng.bit_generator.state = self.state.rng
        order = rng.permutation(len(self.train))
        silent = self._silent(rng)
        self.state.rng = rng.bit_generator.state
        losses: list[float] = []
        errors: list[Errors] = []
        for part in np.array_split(order, self.n_batch):
            some, some_errors = self._step(part, silent, pool)
            losses += some
            errors += some_errors
        return summarise(losses, errors)

    def _silent(self, rng: np.random.Generator) -> np.ndarray:
        """(n_train,) whether the forces of a record are left out in this epoch."""
        share = self.config.schedule.force_share
        if share >= 1.0:
            return np.zeros(len(self.train), dtype=bool)
        return rng.random(len(self.train)) >= share

    def _step(
        self, batch: np.ndarray, silent: np.ndarray, pool: ThreadPoolExecutor
    ) -> tuple[list[float], list[Errors]]:
        model = Model(self.form, self.state.weights)
        chunks = [batch[i::CHUNKS] for i in range(CHUNKS) if batch[i::CHUNKS].size]

        def loss_of(rows: np.ndarray) -> tuple[list[float], list[Errors], dict[str, np.ndarray]]:
            targets = [self.train[row] for row in rows]
            quiet = np.flatnonzero(silent[rows]).tolist()
            return batch_loss(model, targets, self.config.loss, silent=quiet)

        results = list(pool.map(loss_of, chunks))
        gradient = {
            name: sum(r[2][name] for r in results) / len(batch) for name in self.state.weights
        }
        self._update(gradient)
        return [x for r in results for x in r[0]], [x for r in results for x in r[1]]

    def _update(self, gradient: dict[str, Any]) -> None:
        """Adam (Kingma and Ba 2014) with a gradient-norm limit, and averaged weights."""
        s, schedule = self.state, self.config.schedule
        norm = np.sqrt(sum(float(np.vdot(g, g)) for g in gradient.values()))
        shrink = min(1.0, schedule.clip / (norm + 1e-30))
        rate = schedule.rate(s.step, schedule.epochs * self.n_batch)
        s.step += 1
        b1, b2 = schedule.beta1, schedule.beta2
        average = min(schedule.average, s.step / (s.step + 10.0))
        for name, g in gradient.items():
            if not self.form.trained(name):
                continue
            if self.config.only and not name.startswith(self.config.only):
                continue
            g = g * shrink
            s.first[name] = b1 * s.first[name] + (1 - b1) * g
            s.second[name] = b2 * s.second[name] + (1 - b2) * g * g
            moment = s.first[name] / (1 - b1**s.step)
            spread = np.sqrt(s.second[name] / (1 - b2**s.step)) + 1e-10
            decay = 1.0 - rate * schedule.weight_decay * _decays(name)
            s.weights[name] = decay * s.weights[name] - rate * moment / spread
            s.averaged[name] = average * s.averaged[name] + (1 - average) * s.weights[name]


def _decays(name: str) -> bool:
    baseline = ("level", "two_center", "energy.atom", "bond.scale", "dipole.sp")
    return name not in baseline and not name.endswith("bias")


def molecules_limited(records: list[Reference], limit: int, seed: int) -> list[Reference]:
    """All records of ``limit`` molecules drawn at random (0: everything)."""
    molecules = sorted({r.molecule for r in records})
    if not limit or limit >= len(molecules):
        return records
    chosen = set(np.random.default_rng(seed).permutation(molecules)[:limit].tolist())
    return [r for r in records if r.molecule in chosen]


def frames_limited(records: list[Reference], frames: int) -> list[Reference]:
    """The first ``frames`` records of each molecule (0: everything)."""
    seen: Counter[str] = Counter()
    out = []
    for record in records:
        seen[record.molecule] += 1
        if not frames or seen[record.molecule] <= frames:
            out.append(record)
    return out


def train(config_path: Path, resume: bool = True, quiet: bool = False) -> Parameters:
    """Fit a parameter set: initial regression, then indirect training with checkpoints.

    Parameters
    ----------
    config_path : Path
        TOML file, see :class:`TrainConfig`.
    resume : bool
        Continue from the checkpoint beside the output if there is one.
    quiet : bool
        No progress display.

    Returns
    -------
    fitted : Parameters
        The finished set, also written to the output folder with its learning curve.
    """
    return fit(TrainConfig.load(config_path), config_path.resolve().parent, resume, quiet)


def fit(config: TrainConfig, base: Path, resume: bool = True, quiet: bool = False) -> Parameters:
    """The run behind :func:`train`; file names in ``config`` are relative to ``base``."""
    output = base / config.output
    output.mkdir(parents=True, exist_ok=True)
    dataset = ReferenceDataset.load(*(base / name for name in config.datasets))
    known = set(config.elements)
    usable = [r for r in dataset if set(r.structure.symbols) <= known]
    usable = frames_limited(usable, config.frames)
    records = molecules_limited(
        [r for r in usable if r.split == "train"], config.limit, config.seed
    )
    validation = [Target(r) for r in usable if r.split == "validation"]
    if not records or not validation:
        raise ParameterError("the dataset has no training or no validation molecules")
    form = config.form()
    checkpoint = output.with_name(output.name + ".checkpoint.npz")
    stamp = json.dumps(
        [asdict(replace(config, threads=1)), dataset.checksum], sort_keys=True, default=list
    )
    with threadpool_limits(1), ThreadPoolExecutor(config.threads) as pool:
        if resume and checkpoint.exists():
            state = TrainState.load(checkpoint, stamp)
        else:
            state = TrainState.start(start_model(config, records, pool), config.seed)
            state.save(checkpoint, stamp)
        trainer = Trainer(config, form, state, [Target(r) for r in records])
        with TrainingDisplay(config.schedule.epochs, len(state.history), quiet) as display:
            while not is_finished(state.history, config.schedule):
                row = trainer.epoch(pool)
                checked = evaluate_model(Model(form, state.averaged), validation, config.loss)
                row |= {f"validation_{k}": v for k, v in checked.items()}
                if row["validation_loss"] <= min(
                    (h["validation_loss"] for h in state.history), default=np.inf
                ):
                    state.best = dict(state.averaged)
                state.history.append(row | {"epoch": len(state.history) + 1})
                state.save(checkpoint, stamp)
                display.update(row)
        return _finish(config, form, state, dataset, records, output)


def start_model(config: TrainConfig, records: list[Reference], pool: ThreadPoolExecutor) -> Model:
    """Closed-form start values, then ridge regression on matrix elements if asked for."""
    model = initial_model(config.form(), records, config.seed)
    schedule = config.schedule
    if not schedule.ridge_steps:
        return model
    targets = [Target(r) for r in records]
    return ridge(
        model, targets, config.loss, schedule.ridge_steps, schedule.ridge_penalty, pool.map
    )


def is_finished(history: Sequence[dict[str, float]], schedule: Schedule) -> bool:
    """Whether all epochs are done, or too many of them without a gain on validation."""
    if len(history) >= schedule.epochs:
        return True
    losses = [row["validation_loss"] for row in history]
    patience = schedule.patience
    return 0 < patience < len(losses) and min(losses[:-patience]) <= min(losses[-patience:])


def _domain(model: Model, records: Sequence[Reference]) -> dict[str, np.ndarray]:
    """Training domain of the finished features."""
    pairs = PairList.of([r.structure for r in records], model.form.elements, model.form.cutoff)
    _, record = model.predict(pairs)
    return fit_domain(pairs, record.features.invariants, len(model.form.elements))


def _errors(model: Model, records: list[Reference], weights: LossWeights) -> dict[str, float]:
    """Counts and mean absolute errors of one split, for the header."""
    if not records:
        return {"structures": 0}
    errors = evaluate_model(model, [Target(r) for r in records], weights)
    del errors["loss"]
    return {"structures": len(records)} | {k: round(v, 5) for k, v in errors.items()}


def _finish(
    config: TrainConfig,
    form: ModelForm,
    state: TrainState,
    dataset: ReferenceDataset,
    records: list[Reference],
    output: Path,
) -> Parameters:
    """Write the parameter set of the best validation epoch, and its learning curve."""
    from mlsemi.plots import save, training_figure

    best = min(state.history, key=lambda row: row["validation_loss"])
    validation, test = (
        [r for r in dataset.split(name) if set(r.structure.symbols) <= set(config.elements)]
        for name in ("validation", "test")
    )
    header: dict[str, object] = {
        "reference": dataset.provenance,
        "units": "hartree, bohr",
        "licence": "MIT",
        "training": {
            "molecules": len({r.molecule for r in records}),
            "structures": len(records),
            "dataset_checksum": dataset.checksum,
            "seed": config.seed,
            "epochs": len(state.history),
            "best_epoch": best["epoch"],
            "loss": asdict(config.loss),
            "schedule": asdict(config.schedule),
        },
        "errors": {
            "train": _errors(Model(form, state.best), records, config.loss),
            "validation": _errors(Model(form, state.best), validation, config.loss),
            "test": _errors(Model(form, state.best), test, config.loss),
        },
    }
    weights = state.best | _domain(Model(form, state.best), records)
    parameters = Parameters(config.name, header, Model(form, weights), checksum_of(weights))
    if config.committee:
        parameters = with_fitted_committee(
            parameters, records, validation, config.committee, config.seed
        )
    parameters.save(output)
    save(training_figure(state.history), output / "training.png")
    return parameters
