"""The command ``mlsemi run``: single points, one structure or many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlsemi.cli import terminal
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
