"""The command ``mlsemi spectrum``: UV/Vis and circular dichroism."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from mlsemi.cli.options import (
    DEFAULT_PARAMETERS,
    Charge,
    Epsilon,
    Exact,
    Files,
    Fragment,
    FullResponse,
    JsonOutput,
    Multiplicity,
    NameField,
    Opt,
    ParameterSet,
    Processes,
    Quiet,
    Scheduler,
    SelectEv,
    SkipErrors,
    Smiles,
    SolventName,
    Threads,
    Triplets,
)
from mlsemi.cli.work import terminal

DEFAULT_STATES = 20


class Shape(str, Enum):
    """Line shape of a broadened spectrum."""

    gaussian = "gaussian"
    lorentzian = "lorentzian"
    voigt = "voigt"


class Axis(str, Enum):
    """Unit of the lower axis of a plot."""

    nm = "nm"
    ev = "ev"


def spectrum(
    files: Files = None,
    smiles: Smiles = None,
    opt: Opt = False,
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    singlets: Annotated[
        int | None, typer.Option(min=1, help=f"Lowest singlets.  [default: {DEFAULT_STATES}]")
    ] = None,
    doublets: Annotated[
        int | None,
        typer.Option(min=1, help="Lowest doublets of a radical.  [default: as --singlets]"),
    ] = None,
    max_ev: Annotated[
        float | None, typer.Option(min=0.0, metavar="E", help="Or: all of them below E eV.")
    ] = None,
    triplets: Triplets = 0,
    full_tddft: FullResponse = False,
    select_ev: SelectEv = None,
    exact: Exact = False,
    fragment: Fragment = None,
    width_ev: Annotated[
        float,
        typer.Option(min=0.001, max=10.0, metavar="W", help="Full width at half maximum, eV."),
    ] = 0.4,
    shape: Annotated[Shape, typer.Option(help="Line shape.")] = Shape.gaussian,
    lorentz_ev: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=10.0,
            metavar="W",
            help="Lorentzian width of voigt.  [default: width/4]",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Figure: .png, .svg or .pdf.")
    ] = None,
    axis: Annotated[Axis, typer.Option(help="Lower axis of the figure.")] = Axis.nm,
    window: Annotated[
        str | None,
        typer.Option(
            "--range", metavar="A-B", help="Compute and show this range: nm, or eV with --axis ev."
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Broadened spectrum as a table.")
    ] = None,
    json_output: JsonOutput = None,
    stack: Annotated[
        bool, typer.Option("--stack", help="Spectra of several molecules one above another.")
    ] = False,
    experiment: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Measured (nm or eV, absorption), drawn too."),
    ] = None,
    cd: Annotated[
        bool, typer.Option("--cd", help="Plot and tabulate circular dichroism instead.")
    ] = False,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
    name_field: NameField = None,
    processes: Processes = 1,
    scheduler: Scheduler = None,
    skip_errors: SkipErrors = False,
    quiet: Quiet = False,
) -> None:
    """UV/Vis (and CD) spectrum: table of states, plot, CSV.

    \b
    mlsemi spectrum caffeine.xyz --plot caffeine.png
    mlsemi spectrum caffeine.xyz --max-ev 7 --width-ev 0.3 --csv caffeine.csv
    mlsemi spectrum helicene.xyz --cd --plot cd.pdf --axis ev
    mlsemi spectrum snapshots.xyz --plot ensemble.png
    mlsemi spectrum p-nitroaniline.xyz --solvent water --range 250-500 --plot water.png
    mlsemi spectrum "smiles:[O]c1ccccc1" --multiplicity 2 --plot phenoxyl.png
    mlsemi spectrum dyes.sdf --range 300-700 --stack --plot dyes.pdf
    mlsemi spectrum indigo.xyz --range 300-750 --experiment measured.csv --plot indigo.png

    Several molecules are drawn together, or with --stack one above another. Several frames of one
    (snapshots of a molecular dynamics run) give one table each and the average of their spectra in
    the plot and the CSV file; records of an SDF or a list of SMILES are never averaged. Plots and
    CSV end a width below the highest energy to
    which states were computed (--max-ev, or the last of --singlets): above, some are missing.
    The table leaves out rotatory strengths that are noise; --cd shows them all. Of radicals
    (multiplicity 2) the states are doublets, with <S^2> = 0.75 where their spin is pure.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    numbered = singlets is not None or doublets is not None
    if numbered and max_ev is not None:
        raise typer.BadParameter("give numbers of states or --max-ev, not both")
    if window is not None and (numbered or max_ev is not None):
        raise typer.BadParameter(
            "--range says how many states are computed: no --singlets, --doublets, --max-ev"
        )
    if lorentz_ev is not None and shape is not Shape.voigt:
        raise typer.BadParameter("--lorentz-ev belongs to --shape voigt")
    from mlsemi.cli.work import jobs
    from mlsemi.cli.work.batches import Batch, Job
    from mlsemi.cli.work.curves import Curves
    from mlsemi.draw.measured import Measured
    from mlsemi.draw.plots import check_format
    from mlsemi.draw.spectrum import grid_between
    from mlsemi.outputs import check_distinct
    from mlsemi.units import HARTREE_EV

    if plot is not None:
        check_format(plot)
    sources = jobs.sources_from(files, smiles)
    check_distinct(sources, (json_output, plot, csv))
    if plot is None and (stack or experiment is not None):
        raise typer.BadParameter("--stack and --experiment belong to --plot")
    measured = None if experiment is None else Measured.read(experiment)
    grid = None
    if window is not None:
        low, high = jobs.range_from(window, axis.value)
        max_ev, grid = high + width_ev, grid_between(low, high, width_ev)
    closed: dict[str, Any] = {"singlets": singlets or DEFAULT_STATES}
    radical: dict[str, Any] = {"doublets": doublets or singlets or DEFAULT_STATES}
    if max_ev is not None:
        closed = radical = {"max_energy": max_ev / HARTREE_EV}
    drawn = plot is not None or csv is not None
    job = Job(
        jobs.parameters_from(parameters),
        {
            "triplets": triplets,
            "method": jobs.method_from(full_tddft, select_ev, exact),
            "threads": threads,
            **jobs.surroundings_from(solvent, epsilon),
        },
        {1: closed, 2: radical},
        fragments=jobs.fragments_from(fragment),
        relax=opt,
        json=json_output is not None,
        lines=drawn,
        tables=None if quiet or json_output == "-" else "states",
        width=terminal.width(),
        rotatory=cd,
    )
    batch = Batch(sources, charge, parameters, multiplicity, skip_errors, name_field, states=(1, 2))
    curves = Curves(width_ev, shape.value, lorentz_ev, max_ev, grid)
    jobs.reserve(plot, csv)
    with terminal.lines_sink(json_output, quiet) as emit:
        for outcome in batch.outcomes(job, processes, scheduler, quiet):
            if outcome.line is not None:
                emit(outcome.line)
            if outcome.text:
                terminal.print_tables(outcome.text)
            if outcome.lines is not None and outcome.structure is not None:
                curves.add(outcome.file, outcome.name, outcome.structure, outcome.lines)
        if drawn:
            found = curves.spectra()
            if plot is not None:
                curves.plot(found, plot, axis.value, cd, stack, measured)
            if csv is not None:
                jobs.write_csv(found, csv, cd)
    if drawn and not quiet:
        jobs.explain_end(found)
    terminal.say_written(quiet, plot)
    terminal.say_written(quiet, csv)
    batch.finish()
