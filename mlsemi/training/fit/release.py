"""The finished parameter set: weights, training domain, committee, and a header with its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mlsemi.model.domain import fit_domain
from mlsemi.model.model import Model
from mlsemi.model.pairs import PairList
from mlsemi.parameters import Parameters, checksum_of
from mlsemi.training.calibration.committee_fit import with_fitted_committee
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.fit.checkpoint import TrainState
from mlsemi.training.fit.config import TrainConfig
from mlsemi.training.fit.parts import OtherSet, Parts
from mlsemi.training.objective.evaluation import evaluate_model
from mlsemi.training.objective.loss import LossWeights, Target
from mlsemi.training.objective.taught import TaughtSet

BATCH = 64
"""Structures whose features are held at a time."""


def release(
    config: TrainConfig,
    state: TrainState,
    dataset: ReferenceDataset,
    parts: Parts,
    others: Sequence[OtherSet],
    output: Path,
    known: Parameters | None = None,
) -> Parameters:
    """Write the parameter set of the best validation epoch, and its learning curve."""
    from mlsemi.draw.plots import save, training_figure

    model = Model(config.form(), state.best)
    model = Model(model.form, state.best | training_domain(model, parts.train))
    header: dict[str, object] = {
        "reference": dataset.provenance,
        "units": "hartree, bohr",
        "licence": "MIT",
        "training": _history(config, state, dataset, parts.train) | _of_others(others),
        "errors": {
            name: _errors(model, records, config.loss) for name, records in parts._asdict().items()
        },
    }
    if known is not None:
        before = known.header.get("training")
        header["start"] = {"name": known.name, "checksum": known.checksum, "training": before}
    parameters = Parameters(config.name, header, model, checksum_of(model.weights))
    if known is not None and known.calibrated:
        about = known.header["excitation_fit"]
        assert isinstance(about, dict)
        parameters = parameters.with_excitation(known.excitation, about)
    if config.committee:
        parameters = with_fitted_committee(
            parameters, parts.train, parts.validation, config.committee, config.seed
        )
    parameters.save(output)
    save(training_figure(state.history), output / "training.png")
    return parameters


def _history(
    config: TrainConfig, state: TrainState, dataset: ReferenceDataset, train: list[Reference]
) -> dict[str, object]:
    """What was done, for the header."""
    best = min(state.history, key=lambda row: row["validation_loss"])
    return {
        "molecules": len({r.molecule for r in train}),
        "structures": len(train),
        "dataset_checksum": dataset.checksum,
        "split": config.split,
        "seed": config.seed,
        "epochs": len(state.history),
        "best_epoch": best["epoch"],
        "loss": asdict(config.loss),
        "schedule": asdict(config.schedule),
    }


def _of_others(sets: Sequence[OtherSet]) -> dict[str, object]:
    """What other methods have taught, for the header."""
    out: dict[str, dict[str, dict[str, object]]] = {}
    for one in sets:
        entry = out.setdefault(one.kind, {})[one.name] = {
            "molecules": len(set(one.molecules)),
            "structures": len(one.molecules),
            "share": one.share,
            "checksum": one.checksum,
        }
        if isinstance(one, TaughtSet):
            entry["weight"] = one.weight
    return dict(out)


def training_domain(model: Model, records: Sequence[Reference]) -> dict[str, np.ndarray]:
    """Training domain of the finished features, a batch of structures at a time."""
    form = model.form
    invariants, species = [], []
    for start in range(0, len(records), BATCH):
        some = [r.structure for r in records[start : start + BATCH]]
        pairs = PairList.of(some, form.elements, form.cutoff)
        features = model.representation.features(pairs, model.radial, model.weights)
        invariants.append(features.invariants)
        species.append(pairs.species)
    return fit_domain(np.concatenate(species), np.concatenate(invariants), len(form.elements))


def _errors(model: Model, records: list[Reference], weights: LossWeights) -> dict[str, float]:
    """Counts and mean absolute errors of one split, for the header."""
    if not records:
        return {"structures": 0}
    errors = evaluate_model(model, [Target(r) for r in records], weights)
    del errors["loss"]
    return {"structures": len(records)} | {k: round(v, 5) for k, v in errors.items()}
