"""The command line: ``mlsemi run | spectrum | reference | select | train | validate | info``.

Heavy modules are imported inside the commands, so that ``mlsemi --help`` answers at once.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mlsemi import __version__
from mlsemi.cli import export, terminal, training
from mlsemi.cli.options import (
    DEFAULT_PARAMETERS,
    Charge,
    Epsilon,
    Files,
    Fragment,
    FullResponse,
    JsonOutput,
    Multiplicity,
    ParameterSet,
    Quiet,
    SelectEv,
    SkipErrors,
    SolventName,
    Threads,
    Triplets,
)
from mlsemi.errors import InputError

DEFAULT_SINGLETS = 20


class Shape(str, Enum):
    """Line shape of a broadened spectrum."""

    gaussian = "gaussian"
    lorentzian = "lorentzian"
    voigt = "voigt"


class Axis(str, Enum):
    """Unit of the lower axis of a plot."""

    nm = "nm"
    ev = "ev"


app = typer.Typer(
    cls=terminal.OneLineErrors,
    name="mlsemi",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlsemi {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Orbitals, charges, spectra and forces from a machine-learned minimal-basis Hamiltonian.

    \b
    mlsemi run caffeine.xyz                        orbitals, gap, charges, dipole, bonds
    mlsemi run caffeine.xyz --singlets 10 --json - the same as JSON, with 10 singlets
    mlsemi spectrum caffeine.xyz --plot uv.png     UV/Vis spectrum
    mlsemi info                                    installed parameter sets

    Tables go to standard output, warnings and progress to standard error. Exit status: 0 done,
    1 the input or the calculation failed (one line on standard error says why), 2 wrong usage,
    130 interrupted (Ctrl-C), 143 ended (SIGTERM), 141 nobody reads the output any more.
    """  # noqa: D301 (click reads the backspace: do not rewrap)


@app.command()
def run(
    files: Files,
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    field: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Uniform electric field, V/angstrom.")
    ] = None,
    singlets: Annotated[int, typer.Option(min=0, help="Lowest singlet excitations.")] = 0,
    triplets: Triplets = 0,
    full_tddft: FullResponse = False,
    select_ev: SelectEv = None,
    fragment: Fragment = None,
    forces: Annotated[bool, typer.Option("--forces", help="Forces on the atoms.")] = False,
    polarizability: Annotated[
        bool, typer.Option("--polarizability", help="Static polarisability.")
    ] = False,
    dispersion: Annotated[
        bool, typer.Option("--dispersion/--no-dispersion", help="Add D4 to energy and forces.")
    ] = True,
    electronic_temperature: Annotated[
        float, typer.Option(min=0.0, metavar="KELVIN", help="Fermi occupations; free energy.")
    ] = 0.0,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
    json_output: JsonOutput = None,
    molden: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Orbitals of a single structure.")
    ] = None,
    skip_errors: SkipErrors = False,
    quiet: Quiet = False,
) -> None:
    """Orbitals, gap, charges, dipole, bond orders, energy, spectra.

    \b
    mlsemi run caffeine.xyz
    mlsemi run caffeine.xyz --singlets 10 --triplets 5
    mlsemi run naphthalene.xyz --charge 1 --solvent acetonitrile
    mlsemi run water.xyz --field 0,0,0.1 --polarizability
    mlsemi run trajectory.xyz --json results.jsonl
    mlsemi run formaldehyde.xyz --molden formaldehyde.molden
    obabel -:"c1ccccc1" --gen3d -oxyz | mlsemi run - --json -

    All structures are read and checked before the first is computed; if some cannot be used,
    all of them are named and nothing is computed, unless --skip-errors is given. Records are
    written as they come: what a run that fails or is killed has finished stays in PATH.partial.
    Atoms, frames and orbitals are counted from 0.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli import jobs
    from mlsemi.draw.molden import write_molden
    from mlsemi.draw.report import result_text
    from mlsemi.outputs import check_distinct

    if str(molden) == "-":
        raise typer.BadParameter("--molden writes a file, not standard output")
    check_distinct(files, (json_output, molden))
    method, fragments = jobs.method_from(full_tddft, select_ev), jobs.fragments_from(fragment)
    around = jobs.surroundings_from(solvent, epsilon, field)
    batch = jobs.read(files, charge, parameters, multiplicity, skip_errors)
    batch.check(forces, states=bool(singlets or triplets))
    if molden is not None and len(batch.frames) > 1:
        raise InputError(f"--molden takes a single structure, {len(batch.frames)} were given")
    tables, width = not quiet and json_output != "-", terminal.width()
    with terminal.json_sink(json_output, quiet) as emit:
        jobs.reserve(molden)
        for frame in terminal.progress(batch.frames, "structures", quiet):
            with batch.attempt():
                result = jobs.calculate(
                    frame,
                    parameters,
                    threads,
                    singlets=singlets,
                    triplets=triplets,
                    method=method,
                    forces=forces,
                    polarizability=polarizability,
                    dispersion=dispersion,
                    electronic_temperature=electronic_temperature,
                    **around,
                )
                record = jobs.record_of(frame, result, quiet, fragments)
                if molden is not None:
                    write_molden(result, molden)
                emit(record)
                if tables:
                    terminal.print_tables(result_text(record, frame.label, width))
    terminal.say_written(quiet, molden)
    batch.finish()


@app.command()
def spectrum(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Structures; - is xyz on stdin.")],
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    singlets: Annotated[
        int | None, typer.Option(min=1, help=f"Lowest singlets.  [default: {DEFAULT_SINGLETS}]")
    ] = None,
    max_ev: Annotated[
        float | None, typer.Option(min=0.0, metavar="E", help="Or: all singlets below E eV.")
    ] = None,
    triplets: Triplets = 0,
    full_tddft: FullResponse = False,
    select_ev: SelectEv = None,
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
    cd: Annotated[
        bool, typer.Option("--cd", help="Plot and tabulate circular dichroism instead.")
    ] = False,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
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

    Several frames (snapshots of a molecular dynamics run) give one table each and the average
    of their spectra in the plot and the CSV file. Both end a width below the highest energy to
    which states were computed (--max-ev, or the last of --singlets): above, some are missing.
    The table leaves out rotatory strengths that are noise; --cd shows them all.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    if singlets is not None and max_ev is not None:
        raise typer.BadParameter("give --singlets or --max-ev, not both")
    if window is not None and (singlets is not None or max_ev is not None):
        raise typer.BadParameter(
            "--range says how many states are computed: no --singlets, --max-ev"
        )
    if lorentz_ev is not None and shape is not Shape.voigt:
        raise typer.BadParameter("--lorentz-ev belongs to --shape voigt")
    from mlsemi.cli import jobs
    from mlsemi.draw.ensemble import average_spectrum
    from mlsemi.draw.plots import check_format
    from mlsemi.draw.report import states_text
    from mlsemi.draw.spectrum import Lines, grid_between
    from mlsemi.molecule.formats import located
    from mlsemi.outputs import check_distinct
    from mlsemi.units import HARTREE_EV

    if plot is not None:
        check_format(plot)
    check_distinct([file], (json_output, plot, csv))
    grid = None
    if window is not None:
        low, high = jobs.range_from(window, axis.value)
        max_ev, grid = high + width_ev, grid_between(low, high, width_ev)
    if max_ev is not None:
        wanted = {"max_energy": max_ev / HARTREE_EV}
    else:
        wanted = {"singlets": singlets or DEFAULT_SINGLETS}
    method, fragments = jobs.method_from(full_tddft, select_ev), jobs.fragments_from(fragment)
    around = jobs.surroundings_from(solvent, epsilon)
    batch = jobs.read([file], charge, parameters, multiplicity, skip_errors)
    batch.check(states=True)
    drawn = plot is not None or csv is not None
    if drawn:
        jobs.check_same_molecule(batch.frames)
    tables, width = not quiet and json_output != "-", terminal.width()
    lines = []
    with terminal.json_sink(json_output, quiet) as emit:
        jobs.reserve(plot, csv)
        for frame in terminal.progress(batch.frames, "structures", quiet):
            with batch.attempt():
                result = jobs.calculate(
                    frame, parameters, threads, triplets=triplets, method=method, **wanted, **around
                )
                record = jobs.record_of(frame, result, quiet, fragments)
                if result.singlets is not None:
                    lines.append(Lines.of(result.singlets))
                emit(record)
                if tables:
                    terminal.print_tables(states_text(record, frame.label, width, cd))
        if drawn:
            place = batch.frames[0].file
            with located(place):
                curves = average_spectrum(lines, width_ev, shape.value, lorentz_ev, max_ev, grid)
            if plot is not None:
                title, whole = Path(place).stem, grid is not None
                jobs.plot_spectrum(curves, plot, axis.value, cd, title, whole)
            if csv is not None:
                jobs.write_csv(curves, csv, cd)
    if drawn and not quiet:
        jobs.explain_end(curves)
    terminal.say_written(quiet, plot)
    terminal.say_written(quiet, csv)
    batch.finish()


app.command()(export.export)
app.command()(training.reference)
app.command()(training.select)
app.command()(training.surfaces)
app.command()(training.train)
app.command()(training.committee)
app.command()(training.validate)


@app.command()
def info(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PARAMETERS|DATASET.h5...]",
            help="What to describe; several datasets are counted together.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Histograms of the datasets.")
    ] = None,
) -> None:
    """Installed parameter sets, one of them in full, or datasets.

    \b
    mlsemi info
    mlsemi info organic-1
    mlsemi info molecules.h5 --plot distributions.png
    mlsemi info parameters/reference/*.h5
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli import inventory

    console = terminal.console()
    names = names or []
    datasets = [Path(name) for name in names if name.endswith((".h5", ".hdf5"))]
    if len(names) > 1 and len(datasets) < len(names):
        raise typer.BadParameter("one parameter set, or any number of datasets (.h5)")
    if plot is not None:
        if not datasets:
            raise typer.BadParameter("--plot needs a dataset (.h5)")
        from mlsemi.draw.plots import check_format

        check_format(plot)
    if not names:
        inventory.print_available(console)
    elif datasets:
        inventory.print_datasets(console, datasets, plot)
        terminal.say_written(False, plot)
    else:
        inventory.print_parameters(console, names[0])


def main() -> None:
    """Entry point of the ``mlsemi`` command."""
    terminal.end_in_order()
    terminal.write_anything()
    app()
