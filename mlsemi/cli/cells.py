"""The commands ``mlsemi bands`` and ``mlsemi couplings``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlsemi.cli.options import (
    DEFAULT_PARAMETERS,
    Files,
    JsonOutput,
    KPoints,
    ParameterSet,
    Processes,
    Quiet,
    Scheduler,
    SkipErrors,
    Threads,
)


def bands(
    file: Annotated[str, typer.Argument(metavar="FILE", help="One structure with a cell.")],
    path: Annotated[
        str | None,
        typer.Option(metavar="GXWG", help="Special points, as ASE names them.  [default: all]"),
    ] = None,
    npoints: Annotated[int, typer.Option(min=2, max=10_000, help="Points on the path.")] = 60,
    kpts: KPoints = None,
    electronic_temperature: Annotated[
        float, typer.Option(min=0.0, metavar="KELVIN", help="Of the occupations.")
    ] = 0.0,
    plot: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Figure: .png, .svg or .pdf.")
    ] = None,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
    json_output: JsonOutput = None,
    quiet: Quiet = False,
) -> None:
    """Band structure, gap, density of states, effective masses of a periodic cell.

    \b
    mlsemi bands graphene.cif --plot bands.png
    mlsemi bands polyethylene.xyz --kpts 1x1x40
    mlsemi bands pentacene.cif --path GXMG --npoints 100 --json bands.json

    The Fermi level and the density of states are those of a mesh around Gamma (--kpts; by default
    one that fits the cell), edges and gaps those of mesh and path together.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli.work import jobs, terminal
    from mlsemi.draw.cell_report import bands_text
    from mlsemi.draw.plots import check_format, save
    from mlsemi.draw.report import json_line
    from mlsemi.molecule.formats import located
    from mlsemi.outputs import check_distinct
    from mlsemi.parameters import Parameters
    from mlsemi.periodic.bands import bands_of

    if plot is not None:
        check_format(plot)
    check_distinct([file], (json_output, plot))
    frame = jobs.single(file, None, parameters, None, "bands")
    with terminal.lines_sink(json_output, quiet) as emit:
        jobs.reserve(plot)
        with located(frame.label):
            found = bands_of(
                frame.structure,
                Parameters.load(parameters),
                path=path,
                npoints=npoints,
                kpts=kpts,
                electronic_temperature=electronic_temperature,
                threads=threads,
            )
        record = jobs.record_of(frame, found, quiet)
        if plot is not None:
            save(found.plot(), plot)
        emit(json_line(record))
        if not quiet and json_output != "-":
            terminal.print_tables(bands_text(record, frame.label))
    terminal.say_written(quiet, plot)


def couplings(
    files: Files,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Figure: molecules and couplings; over frames."),
    ] = None,
    lumo: Annotated[bool, typer.Option("--lumo", help="LUMOs in the figure.")] = False,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    processes: Processes = 1,
    scheduler: Scheduler = None,
    threads: Threads = 1,
    json_output: JsonOutput = None,
    skip_errors: SkipErrors = False,
    quiet: Quiet = False,
) -> None:
    """Transfer integrals between the molecules of a dimer, cluster, crystal or trajectory.

    \b
    mlsemi couplings dimer.xyz
    mlsemi couplings pentacene.cif --plot couplings.png
    mlsemi couplings trajectory.extxyz --json couplings.jsonl --plot fluctuations.png

    Orbitals of a molecule are eigenvectors of its own block of the predicted Hamiltonian, couplings
    the elements between them: one prediction for all pairs. Of several frames mean and fluctuation
    are given too.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    import json

    from mlsemi.cli.work import jobs, terminal
    from mlsemi.cli.work.batches import Batch
    from mlsemi.cli.work.coupled import CouplingsJob
    from mlsemi.draw.bands import couplings_figure, trajectory_figure
    from mlsemi.draw.cell_report import fluctuations_text
    from mlsemi.draw.plots import check_format, save
    from mlsemi.outputs import check_distinct

    if plot is not None:
        check_format(plot)
    sources = jobs.sources_from(files, None)
    check_distinct(sources, (json_output, plot))
    batch = Batch(sources, None, parameters, skip=skip_errors)
    tables = not quiet and json_output != "-"
    job = CouplingsJob(jobs.parameters_from(parameters), threads, tables)
    records = []
    jobs.reserve(plot)
    with terminal.lines_sink(json_output, quiet) as emit:
        for outcome in batch.outcomes(job, processes, scheduler, quiet):
            if outcome.line is not None:
                emit(outcome.line)
                records.append(json.loads(outcome.line))
            if outcome.text:
                terminal.print_tables(outcome.text)
        if tables and len(records) > 1:
            terminal.print_tables(fluctuations_text(records))
        if plot is not None and records:
            orbital = "lumo" if lumo else "homo"
            if len(records) > 1:
                save(trajectory_figure(records, orbital), plot)
            else:
                save(couplings_figure(records[0], orbital), plot)
    terminal.say_written(quiet, plot)
    batch.finish()
