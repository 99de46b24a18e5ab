"""The finished parameter set: weights, training domain, committee, and a header with its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tomli_w

from mlsemi.model.model import Model
from mlsemi.model.terms.domain import fit_domain
from mlsemi.molecule.pairs import PairList
from mlsemi.outputs import complete_or_absent
from mlsemi.parameters import Parameters, checksum_of
from mlsemi.training.calibration.committee_fit import with_fitted_committee
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.sources import Data, Parts
from mlsemi.training.objective.evaluation import evaluate_model
from mlsemi.training.objective.loss import LossWeights, Target

BATCH = 64
"""Structures whose features are held at a time."""

ABOUT = "mlsemi train made this set so; file names are relative to the folder of its recipe."

History = list[dict[str, float]]


def stage_set(
    recipe: Recipe,
    weights: dict[str, np.ndarray],
    parts: Parts,
    dataset: ReferenceDataset,
    known: Parameters | None,
    stamp: str,
) -> Parameters:
    """The set at the end of a stage, with its training domain.

    Parameters
    ----------
    recipe : Recipe
    weights : dict
        Of its best epoch.
    parts : Parts
    dataset : ReferenceDataset
        The first source.
    known : Parameters or None
        What the stage started from; its constants of the excited states are kept.
    stamp : str
        Of the run up to here.
    """
    model = Model(recipe.form(), weights)
    model = Model(model.form, weights | training_domain(model, parts.train))
    header: dict[str, object] = {
        "reference": dataset.provenance,
        "units": "hartree, bohr",
        "licence": "MIT",
        "training": {"stamp": stamp},
    }
    made = Parameters(recipe.name, header, model, checksum_of(model.weights))
    if known is not None and known.calibrated:
        about = known.header["excitation_fit"]
        assert isinstance(about, dict)
        made = made.with_excitation(known.excitation, about)
    return made


def release(
    recipe: Recipe,
    made: Parameters,
    histories: Sequence[History],
    parts: Parts,
    data: Sequence[Data],
    output: Path,
    start: Parameters | None = None,
) -> Parameters:
    """Write the set of the last stage with committee, errors, learning curve and recipe.

    Parameters
    ----------
    recipe : Recipe
        With its elements filled in.
    made : Parameters
        Of the last stage.
    histories : sequence of list
        Epochs of every stage.
    parts : Parts
    data : sequence of Data
        The sources.
    output : Path
        Folder to write.
    start : Parameters, optional
        What the run started from.
    """
    from mlsemi.draw.plots import save, training_figure

    terms = recipe.stage[-1].loss.of(data[0].targets)
    header: dict[str, object] = {
        "training": _history(recipe, histories, parts, data) | made.header["training"],  # type: ignore[operator]
        "errors": {
            name: _errors(made.model, records, terms) for name, records in parts._asdict().items()
        },
    }
    if start is not None:
        before = start.header.get("training")
        header["start"] = {"name": start.name, "checksum": start.checksum, "training": before}
    finished = Parameters(made.name, made.header | header, made.model, made.checksum)
    if recipe.committee:
        finished = with_fitted_committee(
            finished, parts.train, parts.validation, recipe.committee, recipe.seed, _excited(data)
        )
    _write(finished, recipe, output)
    save(
        training_figure([row for history in histories for row in history]), output / "training.png"
    )
    return finished


def release_as_it_is(recipe: Recipe, made: Parameters, stamp: str, output: Path) -> Parameters:
    """Write the set of a recipe without stages: only name and stamp are new in its header.

    Parameters
    ----------
    recipe : Recipe
    made : Parameters
    stamp : str
        Of the run.
    output : Path
        Folder to write.
    """
    training = made.header.get("training")
    about = dict(training) if isinstance(training, dict) else {}
    header = made.header | {"training": about | {"stamp": stamp}}
    finished = replace(made, name=recipe.name, header=header)
    _write(finished, recipe, output)
    return finished


def _write(finished: Parameters, recipe: Recipe, output: Path) -> None:
    """The folder of a set, with the recipe that made it."""
    finished.save(output)
    with complete_or_absent(output / "recipe.toml") as temporary:
        text = tomli_w.dumps(recipe.plain())
        temporary.write_text(f"# {ABOUT}\n{text}", encoding="utf-8")


def _excited(data: Sequence[Data]) -> list[Reference]:
    """Validation records with excited states, which calibrate their uncertainties."""
    chosen = [one for one in data if "constants" in one.targets]
    return [record for one in chosen for record in one.dataset.split("validation")]


def _history(
    recipe: Recipe, histories: Sequence[History], parts: Parts, data: Sequence[Data]
) -> dict[str, object]:
    """What was done, for the header."""
    stages = [
        {
            "epochs": len(history),
            "best_epoch": min(history, key=lambda row: row["validation_loss"])["epoch"],
        }
        for history in histories
    ]
    sources = {
        one.table.name: {
            "head": one.head.kind,
            "targets": sorted(one.targets),
            "molecules": len({entry.molecule for entry in one.entries}),
            "structures": len(one.entries),
            "checksum": one.checksum,
        }
        for one in data
    }
    return {
        "molecules": len({record.molecule for record in parts.train}),
        "structures": len(parts.train),
        "dataset_checksum": data[0].checksum,
        "split": recipe.split,
        "stages": stages,
        "sources": sources,
        "recipe": recipe.plain(),
    }


def training_domain(model: Model, records: Sequence[Reference]) -> dict[str, np.ndarray]:
    """Training domain of the finished features, a batch of structures at a time."""
    form = model.form
    invariants, species = [], []
    for start in range(0, len(records), BATCH):
        some = [r.structure for r in records[start : start + BATCH]]
        pairs = PairList.of(some, form.elements, form.cutoff)
        invariants.append(model.invariants(pairs))
        species.append(pairs.species)
    return fit_domain(np.concatenate(species), np.concatenate(invariants), len(form.elements))


def _errors(model: Model, records: list[Reference], weights: LossWeights) -> dict[str, float]:
    """Counts and mean absolute errors of one split, for the header."""
    if not records:
        return {"structures": 0}
    errors = evaluate_model(model, [Target(r) for r in records], weights)
    del errors["loss"]
    return {"structures": len(records)} | {k: round(v, 5) for k, v in errors.items()}
