"""The command line: every command, the root's help, ``mlsemi info`` and the entry point.

Heavy modules are imported inside the commands, so that ``mlsemi --help`` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlsemi import __version__
from mlsemi.cli import (
    cells,
    export,
    geometries,
    pages,
    run,
    spectrum,
    training,
    vibrations,
)
from mlsemi.cli.work import terminal
from mlsemi.machine.memory import keep_freed_memory

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
    mlsemi bands graphene.cif --plot bands.png     band structure of a periodic cell
    mlsemi couplings crystal.cif                   transfer integrals between molecules
    mlsemi info                                    installed parameter sets

    Tables go to standard output, warnings and progress to standard error. Exit status: 0 done,
    1 the input or the calculation failed (one line on standard error says why), 2 wrong usage,
    130 interrupted (Ctrl-C), 143 ended (SIGTERM), 141 nobody reads the output any more.
    """  # noqa: D301 (click reads the backspace: do not rewrap)


app.command()(run.run)
app.command()(spectrum.spectrum)
app.command()(geometries.optimize)
app.command()(vibrations.vibrations)
app.command()(geometries.scan)
app.command()(geometries.conformers)
app.command()(pages.page)
app.command()(pages.serve)
app.command()(export.export)
app.command()(cells.bands)
app.command()(cells.couplings)
app.command()(training.reference)
app.command()(training.select)
app.command()(training.surfaces)
app.command()(training.train)
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
    terminal.say_what_takes_long()
    keep_freed_memory()
    app()
