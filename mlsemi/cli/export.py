"""The command ``mlsemi export``: orbitals and densities to cube and Molden files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlsemi.cli.options import (
    DEFAULT_PARAMETERS,
    Charge,
    Epsilon,
    Multiplicity,
    ParameterSet,
    Quiet,
    SolventName,
    Threads,
)


def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="One structure; - is xyz on stdin.")],
    quantities: Annotated[
        list[str], typer.Argument(metavar="WHAT...", help="homo, transition:S1, ntos:S1, ...")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Where the files go; made if absent."
        ),
    ] = Path(),
    spacing: Annotated[
        float, typer.Option(metavar="A", help="Between grid points, angstrom.")
    ] = 0.2,
    margin: Annotated[
        float, typer.Option(metavar="A", help="Around the molecule, angstrom.")
    ] = 3.5,
    full_tddft: Annotated[bool, typer.Option("--full-tddft", help="De-excitations too.")] = False,
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
    quiet: Quiet = False,
) -> None:
    """Orbitals, densities and natural transition orbitals as cube and Molden files.

    \b
    mlsemi export caffeine.xyz homo lumo lumo+1 orbital:12 density
    mlsemi export caffeine.xyz hole:S1 electron:S1 transition:S2 difference:T1 -o cubes
    mlsemi export caffeine.xyz ntos:S1

    Cube files: an orbital, the total density, the heaviest natural transition orbitals (hole,
    electron), the transition density, or electron minus hole of state S1, S2, ..., T1, ...
    ntos:S1 is a Molden file with all pairs, their weights as occupations.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli.work import jobs, terminal
    from mlsemi.draw import exports
    from mlsemi.draw.volumes import Grid
    from mlsemi.molecule.formats import located
    from mlsemi.outputs import check_distinct, folder, stem_of
    from mlsemi.units import BOHR_ANGSTROM

    wanted = list(dict.fromkeys(exports.Quantity.named(text) for text in quantities))
    around = jobs.surroundings_from(solvent, epsilon)
    frame = jobs.single(file, charge, parameters, multiplicity, "export")
    grid = Grid.around(frame.structure, spacing / BOHR_ANGSTROM, margin / BOHR_ANGSTROM)
    stem = "structure" if file == "-" else stem_of(file)
    paths = [output / f"{stem}.{quantity.file_name}" for quantity in wanted]
    check_distinct([file], paths)
    for quantity in wanted:
        with located(frame.label):
            quantity.check(frame.structure)
    with folder(output):
        jobs.reserve(*paths)
        result = jobs.calculate(
            frame,
            parameters,
            threads,
            method=jobs.method_from(full_tddft, None),
            **exports.needed(wanted),
            **around,
        )
        jobs.record_of(frame, result, quiet)
        files = list(zip(wanted, paths, strict=True))
        for quantity, path in terminal.progress(files, "files", quiet, len(files)):
            with located(frame.label):
                exports.export(result, quantity, grid, path)
            terminal.say_written(quiet, path)
