"""What each part of the model and of the loss contributes.

    python validation/ablation.py parameters/reference/organic.h5 [--epochs 60] [--limit 300]
    python validation/ablation.py parameters/reference/small*.h5 --limit 0 --name ablation-forces \
        --rows "organic-1 recipe" "two GFN2-xTB surfaces per record"

Every row is trained like organic-1, without other methods, but for one change, on the same
molecules, and measured on the validation molecules (the test molecules stay unseen). One seed each:
differences below 10 % are noise. Finished rows are kept in NAME.json: the same command continues a
run that was stopped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import patch

import report

from mlsemi.model.catalogue import weights_of
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.term import Weight
from mlsemi.training.calibration.validate import errors_of, select
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.run import fit
from mlsemi.training.objective import loss as loss_terms
from mlsemi.training.objective.evaluation import summarise
from mlsemi.training.objective.heads import facts_of

CONFIG = report.HERE.parent / "parameters" / "organic-1.toml"
BASELINE = ("level", "two_center", "dipole.sp", "energy.atom")
HARD = "plain squares"
TWO = "two GFN2-xTB surfaces per record"
LONG = "last maps in steps as long as the others"
RIDGE_STEPS = 60
COLUMNS = {
    "occupied_ev": "occupied / eV",
    "homo_ev": "HOMO / eV",
    "lumo_ev": "LUMO / eV",
    "charges_e": "charges / e",
    "dipole_debye": "dipole / D",
    "forces_ev_per_angstrom": "forces / (eV/angstrom)",
}
"""The last one where the data have forces."""


def reference_alone(datasets: Sequence[Path], epochs: int, limit: int = 0) -> Recipe:
    """The first stage of organic-1 with other data, and no source but the reference."""
    first = Recipe.load(CONFIG).until(0)
    files = tuple(str(path.resolve()) for path in datasets)
    alone = replace(first.source[0], files=files, level="")
    return replace(first, source=(alone,), limit=limit).with_stage(epochs=epochs)


def variants(base: Recipe) -> dict[str, Recipe]:
    """Recipe of each row."""
    (stage,) = base.stage
    loss = stage.loss
    other = {table.head: table for table in reversed(Recipe.load(CONFIG).until(0).source[1:])}

    def beside(**shares: float) -> Recipe:
        more = [
            replace(
                other[head],
                files=tuple(str(CONFIG.parent / file) for file in other[head].files),
                share=share,
            )
            for head, share in shares.items()
        ]
        return replace(base, source=(*base.source, *more))

    without = {"residual": 0.0, "residual_virtual": 0.0}
    return {
        "organic-1 recipe": base,
        "half a GFN2-xTB surface per record": beside(own=0.5),
        TWO: beside(own=2.0),
        "one GFN2-xTB surface and one small-basis record per record": beside(own=1.0, shifted=1.0),
        "physics baseline only": base.with_stage(only=BASELINE),
        "no residual (matrix elements)": base.with_stage(loss=replace(loss, **without)),
        "no density matrix, charges, dipole": base.with_stage(
            loss=replace(loss, density=0.0, charges=0.0, dipole=0.0)
        ),
        "eigenvalues only": base.with_stage(
            loss=replace(loss, **without, density=0.0, charges=0.0, dipole=0.0)
        ),
        "matrix elements only": base.with_stage(
            loss=replace(loss, occupied=0.0, frontier=0.0, virtual=0.0)
        ),
        HARD: base,
        LONG: base,
        "no weight decay": base.with_stage(weight_decay=0.0),
        "a third of the learning rate": base.with_stage(learning_rate=stage.learning_rate / 3.0),
        "half the channels": replace(base, model={"n_channel": 16, "n_node": 6, "n_hidden": 24}),
        "wider perceptrons": replace(base, model={**base.model, "n_hidden": 128}),
        "no long-range potential": base.with_stage(
            only=tuple(name for name in weights_of(base.form()) if name != "charge")
        ),
        "no message passing": replace(base, model={**base.model, "message_passing": False}),
        "energy of bands and pairs": replace(base, model={**base.model, "energy": "band"}),
        "energy of bands and readout": replace(
            base, model={**base.model, "energy": "band+readout"}
        ),
        "nu = 3": replace(base, model={**base.model, "nu": 3}),
        "linear, rho_i^2 and rho_ij^1, ridge first": replace(
            base, model={"kind": "linear"}
        ).with_stage(ridge_steps=RIDGE_STEPS),
        "sparse kernel, ridge first": replace(base, model={"kind": "kernel"}).with_stage(
            ridge_steps=RIDGE_STEPS
        ),
    }


@contextmanager
def hard_squares(hard: bool) -> Iterator[None]:
    """Make every square of the loss a plain one inside the block."""
    widths = {name: value for name, value in vars(loss_terms).items() if name.endswith("_WIDTH")}
    if hard:
        vars(loss_terms).update(dict.fromkeys(widths, 1e6))
    yield
    vars(loss_terms).update(widths)


@contextmanager
def even_steps() -> Iterator[None]:
    """Let the optimizer move last maps in steps as long as those of the features."""

    def even(form: ModelForm) -> dict[str, Weight]:
        return {name: fact._replace(step=1.0) for name, fact in facts_of(form).items()}

    with patch("mlsemi.training.fit.trainer.facts_of", even):
        yield


def finished(name: str, settings: dict[str, object]) -> dict[str, dict[str, float]]:
    """Rows of an earlier run with the same settings."""
    path = report.HERE / f"{name}.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    return dict(known["errors"]) if known.get("settings") == settings else {}


def write(name: str, settings: dict[str, object], results: dict[str, dict[str, float]]) -> None:
    """Table of the rows there are."""
    known = [key for key in COLUMNS if all(key in row for row in results.values())]
    rows = [[variant, *(f"{row[key]:.4f}" for key in known)] for variant, row in results.items()]
    about = " ".join(__doc__.split("\n\n", 2)[2].split())
    report.write(
        name,
        "Ablation",
        [about, report.table(["variant", *(COLUMNS[key] for key in known)], rows)],
        {"settings": settings, "errors": results},
        script="ablation",
    )


def main() -> None:
    """Train the rows that are missing, write NAME.md and NAME.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--limit", type=int, default=300, help="training molecules; 0: all")
    parser.add_argument("--rows", nargs="+", help="variants to train; all by default")
    parser.add_argument("--name", default="ablation", help="of the report")
    options = parser.parse_args()
    base = reference_alone(options.datasets, options.epochs, options.limit)
    dataset = ReferenceDataset.load(*options.datasets)
    held_out = select(dataset, "validation", base.elements)
    settings = {
        "epochs": options.epochs,
        "molecules": options.limit,
        "dataset": dataset.checksum,
        "recipe": {"stage": asdict(base.stage[0]), "model": base.model},
    }
    results = finished(options.name, settings)
    for name, config in variants(base).items():
        if name in results or (options.rows and name not in options.rows):
            continue
        with (
            hard_squares(name == HARD),
            even_steps() if name == LONG else nullcontext(),
            tempfile.TemporaryDirectory() as folder,
        ):
            parameters = fit(
                replace(config, output=f"{folder}/set"), Path(folder), resume=False, quiet=True
            )
        results[name] = summarise([0.0], errors_of(parameters.model, held_out))
        write(options.name, settings, results)


if __name__ == "__main__":
    main()
