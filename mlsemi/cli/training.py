"""The commands of the method developer: ``reference | select | surfaces | train | validate``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mlsemi.cli.options import DEFAULT_PARAMETERS, Quiet


class Split(str, Enum):
    """Part of a dataset."""

    train = "train"
    validation = "validation"
    test = "test"
    all = "all"


def reference(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.h5", help="Dataset to write.")
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT",
            help="SMILES text files (one 'SMILES [frames]' per line), structure files, or "
            "datasets and auxiliary surfaces (.h5) whose geometries are computed again.",
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Thermal frames per molecule; 0 keeps given geometries.  "
            "[default: 1 for SMILES, 0 for structures]",
        ),
    ] = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            min=0.0,
            metavar="KELVIN",
            help="Repeatable; each frame draws one, 0 is relaxed.  [default: 0 300 600 1000]",
        ),
    ] = None,
    stretches: Annotated[
        int,
        typer.Option(
            min=0, help="Geometries per molecule, beside the frames, with a bond stretched."
        ),
    ] = 0,
    contacts: Annotated[
        int,
        typer.Option(
            min=0,
            help="Geometries per complex ('O.C=O'), beside the frames, its molecules at 0.9 to 2 "
            "times contact.",
        ),
    ] = 0,
    collisions: Annotated[
        int,
        typer.Option(
            min=0,
            help="Geometries per pair of molecules, beside the others, warm and pressed together.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    method: Annotated[str, typer.Option(help="Functional by its PySCF name.")] = "b3lyp",
    basis: Annotated[str, typer.Option(help="Basis set by its PySCF name.")] = "def2-tzvp",
    grid: Annotated[int, typer.Option(min=0, max=9, help="PySCF's grid level.")] = 2,
    forces: Annotated[
        bool, typer.Option("--forces", help="Analytic forces too (half as much again).")
    ] = False,
    excitations: Annotated[
        int, typer.Option(min=0, metavar="N", help="N singlets and N triplets too (TDA).")
    ] = 0,
    ris: Annotated[
        int, typer.Option(min=0, metavar="N", help="N singlets by TDA-ris too (cheap).")
    ] = 0,
    backend: Annotated[
        str, typer.Option(help="SCF and forces by pyscf, or on a CUDA card by gpu4pyscf.")
    ] = "pyscf",
    counterpoise: Annotated[
        bool,
        typer.Option("--counterpoise", help="Each molecule of a complex in the basis of all too."),
    ] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Worker processes.  [default: one per core]")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler to send the work to instead."),
    ] = None,
    exclude: Annotated[
        Path | None,
        typer.Option(
            metavar="HASHFILE", help="Leave out molecules whose sha256(InChIKey) is listed."
        ),
    ] = None,
    skip: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.h5", help="Leave out what a dataset holds.")
    ] = None,
    heavy_atoms: Annotated[
        int | None,
        typer.Option(min=1, help="Leave out molecules with more atoms other than hydrogen."),
    ] = None,
    lean: Annotated[
        bool,
        typer.Option(
            "--lean",
            help="Keep only what training needs (no transition densities, valence levels).",
        ),
    ] = False,
    collect_only: Annotated[
        bool, typer.Option("--collect-only", help="Write what is finished; compute nothing.")
    ] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="MANIFEST.toml",
            help="Make all files of a manifest that are missing, or those named as INPUT.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="With --from: what its files hold otherwise; no computing."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Large-basis reference calculations (PySCF) -> dataset file.

    \b
    mlsemi reference molecules.smi -o molecules.h5 --processes 8
    mlsemi reference molecules.smi -o hot.h5 --frames 5 --temperature 600 --forces
    mlsemi reference molecules.smi -o bonds.h5 --stretches 3 --forces
    mlsemi reference geometries.xyz -o given.h5
    mlsemi reference dimers.smi -o dimers.h5 --frames 0 --contacts 3 --counterpoise --forces
    mlsemi reference gfn2.h5 -o def2-svp.h5 --basis def2-svp --grid 1 --forces --lean
    mlsemi reference molecules.smi -o molecules.h5 --scheduler tcp://node7:8786
    mlsemi reference -o molecules.h5 --collect-only
    mlsemi reference --from manifest.toml --processes 8

    Finished molecules are kept beside the output: the same command continues a run that was
    stopped. Needs pip install 'mlsemi[reference]'.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.training.reference.workers import Workforce

    by = Workforce(processes, scheduler, backend, quiet)
    if manifest is not None:
        from mlsemi.training.generators.discrepancies import check_all
        from mlsemi.training.generators.manifest import make_all

        names = [path.as_posix() for path in inputs or []]
        if check:
            check_all(manifest, names, typer.echo)
        else:
            made = make_all(manifest, names, by, lambda line: None if quiet else typer.echo(line))
            if not made and not quiet:
                typer.echo(f"{manifest}: every file is there")
        return
    if output is None:
        raise typer.BadParameter("give --output FILE.h5, or --from MANIFEST.toml")
    if not inputs and not collect_only:
        raise typer.BadParameter("give at least one INPUT, or --collect-only")
    from mlsemi.training.reference.commands import reference_command
    from mlsemi.training.reference.inputs import ReferenceFile

    asked = ReferenceFile.of(
        path=str(output),
        inputs=list(map(str, inputs or [])),
        skip=list(map(str, skip or [])),
        frames=frames,
        temperatures=temperature or None,
        stretches=stretches,
        contacts=contacts,
        collisions=collisions,
        seed=seed,
        method=method,
        basis=basis,
        grid=grid,
        forces=forces,
        excitations=excitations,
        ris=ris,
        counterpoise=counterpoise,
        heavy_atoms=heavy_atoms,
        lean=lean,
    )
    reference_command(asked, by, exclude, collect_only)


def select(
    candidates: Annotated[Path, typer.Argument(metavar="CANDIDATES", help="SMILES, one per line.")],
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="Molecules to choose.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.smi", help="SMILES list to write.")
    ],
    known: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.h5", help="Datasets there are. Repeatable.")
    ] = None,
    parameters: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Set whose features measure distance.")
    ] = DEFAULT_PARAMETERS,
    seed: Annotated[int, typer.Option(help="Seed of the embedding.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Choose molecules for reference calculations by farthest-point sampling.

    Those come first that differ most, in the model's own features, from the molecules of known
    datasets and from each other.

    \b
    mlsemi select candidates.smi -n 500 -o next.smi --known molecules.h5
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.outputs import check_distinct
    from mlsemi.training.generators.selection import select as choose

    check_distinct([candidates, *(known or [])], [output])
    choose(candidates, number, output, known or [], parameters, seed, quiet)


def surfaces(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            help="SMILES text files, one per line.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.h5", help="File to write.")
    ],
    exclude: Annotated[
        Path | None,
        typer.Option(
            metavar="HASHFILE", help="Leave out molecules whose sha256(InChIKey) is listed."
        ),
    ] = None,
    dynamics: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Follow the hot dynamics of a parameter set instead, and keep of each molecule "
            "the geometry where the set is least at home.",
        ),
    ] = None,
    breaking: Annotated[
        bool,
        typer.Option(
            "--breaking",
            help="Pull bonds apart instead: unrestricted reference energies and forces.",
        ),
    ] = False,
    method: Annotated[str, typer.Option(help="With --breaking: functional.")] = "b3lyp",
    basis: Annotated[str, typer.Option(help="With --breaking: basis set.")] = "def2-tzvp",
    grid: Annotated[int, typer.Option(min=0, max=9, help="With --breaking: grid level.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 1,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Worker processes.  [default: one per core]", show_default=False),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """GFN2-xTB energies, forces, charges and dipoles of many geometries, for auxiliary training.

    Only training molecules are computed. A [[source]] with head = "own" in a recipe, the file
    teaches the features what neighbours do to an atom, where reference calculations are few.
    With --dynamics it tells 'mlsemi reference' which geometries a set should learn next. With
    --breaking they are unrestricted energies of bonds up to 2.8 times as long, where 'mlsemi
    reference' cannot go; the same command continues a stopped run.

    \b
    mlsemi surfaces molecules.smi -o gfn2.h5
    mlsemi surfaces molecules.smi -o strange.h5 --dynamics organic-1
    mlsemi reference strange.h5 -o learn.h5 --basis def2-svp --grid 1 --forces --lean
    mlsemi surfaces molecules.smi -o breaking.h5 --breaking
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.outputs import check_distinct
    from mlsemi.training.generators.surface_lists import SurfaceFile, surfaces_command
    from mlsemi.training.reference.workers import Workforce

    if dynamics and breaking:
        raise typer.BadParameter("give one of --dynamics and --breaking")
    check_distinct([*inputs, *([exclude] if exclude else [])], [output])
    asked = SurfaceFile(
        path=str(output),
        by="dynamics" if dynamics else "breaking" if breaking else "relaxations",
        inputs=tuple(map(str, inputs)),
        parameters=dynamics or "",
        seed=seed,
        method=method,
        basis=basis,
        grid=grid,
    )
    surfaces_command(asked, Workforce(processes, quiet=quiet), exclude)


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="Training recipe (TOML).")],
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Continue an earlier run, or start again.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print counts, time, memory and what is missing.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Fit a parameter set: everything from reference data to a finished set.

    Start values, all stages, constants of the excited states, uncertainties and errors. What is
    done is kept in OUTPUT.run: the same command continues a run that was stopped.

    \b
    mlsemi train mine.toml --dry-run
    mlsemi train mine.toml

    A recipe needs three lines:

    \b
    name = "mine"
    [[source]]
    files = ["molecules.h5"]
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    if dry_run:
        from mlsemi.training.fit.estimate import dry_run as estimate

        estimate(recipe)
        return
    from mlsemi.training.fit.run import train as fit

    fit(recipe, resume, quiet)


def validate(
    parameters: Annotated[str, typer.Argument(metavar="PARAMETERS", help="Name or path.")],
    datasets: Annotated[list[Path], typer.Argument(metavar="DATASET", help="Datasets (.h5).")],
    split: Annotated[Split, typer.Option(help="Records to use.")] = Split.test,
    plot: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Parity plots: .png, .svg or .pdf.")
    ] = None,
    json_output: Annotated[
        Path | None, typer.Option("--json", metavar="PATH", help="Errors as JSON.")
    ] = None,
) -> None:
    """Errors of a parameter set on datasets.

    Splits are those of its training: of molecules, or of frames (split = "frame").

    \b
    mlsemi validate organic-1 molecules.h5
    mlsemi validate runs/mine dataset.h5 --split all --plot parity.pdf --json errors.json
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli.work import jobs, terminal
    from mlsemi.outputs import check_distinct
    from mlsemi.training.calibration.validate import validate as errors

    if plot is not None:
        from mlsemi.draw.plots import check_format

        check_format(plot)
    check_distinct(datasets, [plot, json_output])
    jobs.reserve(plot, json_output)
    errors(parameters, datasets, split.value, plot, json_output)
    for path in (plot, json_output):
        terminal.say_written(False, path)
