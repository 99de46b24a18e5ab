"""What each source of data and each stage of the recipe contributes.

    nice -n 19 python validation/ingredients.py [--limit 300] [--epochs 0.33] [--seeds 2] \
        [--rows NAME...] [--work FOLDER]

Every row is organic-1.toml but for one change, with a part of its epochs and a random part of its
data: so many molecules of the reference, five times as many entries of every other source. Errors
are means over seeds, of all the reference's validation molecules (the test molecules stay unseen),
and at 2.5 times the length of the bonds of `dissociation.py`. The noise is the standard deviation
between seeds of one row, from all rows together; a difference from the whole recipe in brackets is
in units of its own standard deviation, and below two it is noise. Runs stand in FOLDER and finished
rows in ingredients.json: the same command continues a run that was stopped anywhere.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import report
from energy_forms import stretched_bonds

from mlsemi.training.calibration.validate import errors_of
from mlsemi.training.data.dataset import ReferenceDataset, split_of
from mlsemi.training.data.surfaces import load_surfaces, save_surfaces
from mlsemi.training.fit.recipe import Recipe, SourceTable
from mlsemi.training.fit.run import fit
from mlsemi.training.objective.evaluation import summarise

FOLDER = report.HERE.parent / "parameters"
NAME = "ingredients"
WHOLE = "the recipe, without excited states"
EXPLORED = ("strange", "def2-svp-5", "def2-svp-6", "def2-svp-7")
"""Files of geometries and molecules that were chosen where a model went wrong."""

MORE = 5
"""Entries of another source per training molecule of the reference."""

COLUMNS = {
    "occupied_ev": "occupied / eV",
    "homo_ev": "HOMO / eV",
    "lumo_ev": "LUMO / eV",
    "dipole_debye": "dipole / D",
    "forces_ev_per_angstrom": "forces / (eV/angstrom)",
    "at_end_ev": "broken bonds / eV",
}


def variants(base: Recipe) -> dict[str, Recipe]:
    """Recipe of each row; file names are those of organic-1.toml."""
    _, small_basis, gfn2, broken = base.source

    def without(*gone: SourceTable) -> Recipe:
        return replace(base, source=tuple(s for s in base.source if s not in gone))

    def instead(old: SourceTable, new: SourceTable) -> Recipe:
        return replace(base, source=tuple(new if s == old else s for s in base.source))

    plain = [f for f in small_basis.files if not any(name in f for name in EXPLORED)]
    epochs = sum(stage.epochs for stage in base.stage)
    joined = replace(base.stage[0], epochs=epochs, loss=base.stage[1].loss)
    one = tuple(replace(s, share=s.at("share", 0)[0] or s.at("share", 1)[0]) for s in base.source)
    return {
        WHOLE: base,
        "no small basis": without(small_basis),
        "no GFN2-xTB": without(gfn2),
        "no broken bonds": without(broken),
        "no explored geometries": instead(small_basis, replace(small_basis, files=tuple(plain))),
        "one stage with the second's loss": replace(base, source=one, stage=(joined,)),
        "cutoff of 8 bohr": replace(base, model={**base.model, "cutoff": 8.0}),
    }


def thinned(name: str, work: Path, limit: int, seed: int) -> Path:
    """A file of organic-1.toml with a random part of its molecules, test molecules aside."""
    path = work / f"{Path(name).stem}-{limit}-{seed}.h5"
    if path.exists():
        return path
    try:
        dataset = ReferenceDataset.load(FOLDER / name)
    except Exception:  # a file of surfaces
        surfaces = load_surfaces(FOLDER / name)
        chosen = np.random.default_rng(seed).permutation(len(surfaces))[:limit]
        save_surfaces(path, [surfaces[k] for k in sorted(chosen.tolist())])
        return path
    keys = sorted(m for m in dataset.molecules if split_of(m) != "test")
    kept = set(np.random.default_rng(seed).permutation(keys)[:limit].tolist())
    records = tuple(r for r in dataset if r.molecule in kept)
    ReferenceDataset(records, dataset.provenance).save(path)
    return path


def with_part_of_data(recipe: Recipe, work: Path, limit: int) -> Recipe:
    """The recipe on thinned files: as many molecules of each as its part of the source is."""
    tables = []
    for number, table in enumerate(recipe.source):
        total = limit if number == 0 else MORE * limit
        sizes = [float((FOLDER / name).stat().st_size) for name in table.files]
        parts = [max(4, round(total * size / sum(sizes))) for size in sizes]
        files = [thinned(f, work, n, 0) for f, n in zip(table.files, parts, strict=True)]
        tables.append(replace(table, files=tuple(map(str, files))))
    excluded = str(FOLDER / recipe.exclude) if recipe.exclude else ""
    return replace(recipe, source=tuple(tables), exclude=excluded)


def base_recipe(epochs: float, channels: int) -> Recipe:
    """organic-1.toml without excited states, with a part of its epochs."""
    recipe = Recipe.load(FOLDER / "organic-1.toml")
    ground = tuple(s for s in recipe.source if "excitations" not in s.targets)
    stages = tuple(replace(s, epochs=max(2, round(epochs * s.epochs))) for s in recipe.stage)
    return replace(
        recipe, source=ground, stage=stages, committee=0, threads=1, model={"n_channel": channels}
    )


def errors(recipe: Recipe, work: Path) -> dict[str, float]:
    """Train one row with one seed, and measure it."""
    parameters = fit(recipe, work, quiet=True)
    reference = ReferenceDataset.load(*(FOLDER / f for f in base_recipe(1.0, 1).source[0].files))
    found = summarise([0.0], errors_of(parameters.model, list(reference.split("validation"))))
    return found | stretched_bonds(parameters)


def noise_of(results: dict[str, list[dict[str, float]]], key: str) -> float:
    """Standard deviation between seeds of one row, pooled over the rows with several."""
    runs = [[run[key] for run in row] for row in results.values() if len(row) > 1]
    if not runs:
        return float("nan")
    squares = sum(float(np.sum((np.array(row) - np.mean(row)) ** 2)) for row in runs)
    return float(np.sqrt(squares / sum(len(row) - 1 for row in runs)))


def write(settings: dict[str, Any], results: dict[str, list[dict[str, float]]]) -> None:
    """Means over seeds, and how they differ from the whole recipe beside the noise."""
    noise = {key: noise_of(results, key) for key in COLUMNS}
    whole, rows = results.get(WHOLE, []), []
    for name, runs in results.items():
        cells = []
        for key in COLUMNS:
            mean, base = (float(np.mean([run[key] for run in some])) for some in (runs, whole))
            sigma = noise[key] * np.sqrt(1.0 / len(runs) + 1.0 / len(whole))
            beside = "" if name == WHOLE else f" ({(mean - base) / sigma:+.1f})"
            cells.append(f"{mean:.4f}{beside}")
        rows.append([name, len(runs), *cells])
    rows.append(["noise of one run", "", *(f"{noise[key]:.4f}" for key in COLUMNS)])
    about = " ".join(__doc__.split("\n\n", 2)[2].split())
    head = ["variant", "seeds", *COLUMNS.values()]
    report.write(
        NAME,
        "Ingredients of the recipe",
        [about, f"Settings: {json.dumps(settings)}.", report.table(head, rows)],
        {"settings": settings, "errors": results},
    )


def finished(settings: dict[str, Any]) -> dict[str, list[dict[str, float]]]:
    """Rows of an earlier run with the same settings."""
    path = report.HERE / f"{NAME}.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    return dict(known["errors"]) if known.get("settings") == settings else {}


def main(words: Sequence[str] | None = None) -> None:
    """Train the rows that are missing, one seed of all before the next."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=300, help="training molecules")
    parser.add_argument("--epochs", type=float, default=0.33, help="part of those of the recipe")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", nargs="+", help="variants to train; all by default")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "ingredients")
    options = parser.parse_args(words)
    settings = {"molecules": options.limit, "epochs": options.epochs, "channels": options.channels}
    work = options.work / "-".join(str(value) for value in settings.values())
    work.mkdir(parents=True, exist_ok=True)
    rows = variants(base_recipe(options.epochs, options.channels))
    for seed in range(options.seeds):
        for name, recipe in rows.items():
            results = finished(settings)
            if (options.rows and name not in options.rows) or len(results.get(name, [])) > seed:
                continue
            chosen = with_part_of_data(recipe, work, options.limit)
            folder = f"{name.replace(' ', '-')}-{seed}"
            found = errors(replace(chosen, seed=10 * seed + 1, output=folder), work)
            results.setdefault(name, []).append(found)
            write(settings, {key: results[key] for key in rows if key in results})


if __name__ == "__main__":
    main()
