"""The command ``mlsemi run``: single points, one structure or many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlsemi.cli.options import (
    DEFAULT_PARAMETERS,
    Charge,
    Doublets,
    Epsilon,
    Exact,
    Files,
    Fragment,
    FullResponse,
    JsonOutput,
    KPoints,
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
from mlsemi.errors import InputError


def run(
    files: Files = None,
    smiles: Smiles = None,
    opt: Opt = False,
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    field: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Uniform electric field, V/angstrom.")
    ] = None,
    kpts: KPoints = None,
    singlets: Annotated[int, typer.Option(min=0, help="Lowest singlet excitations.")] = 0,
    triplets: Triplets = 0,
    doublets: Doublets = 0,
    full_tddft: FullResponse = False,
    select_ev: SelectEv = None,
    exact: Exact = False,
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
    csv: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Summary, one row per structure.")
    ] = None,
    molden: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Orbitals of a single structure.")
    ] = None,
    name_field: NameField = None,
    processes: Processes = 1,
    scheduler: Scheduler = None,
    skip_errors: SkipErrors = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep what an earlier run has written; add the rest.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Orbitals, gap, charges, dipole, bond orders, energy, spectra.

    \b
    mlsemi run caffeine.xyz
    mlsemi run caffeine.xyz --singlets 10 --triplets 5
    mlsemi run smiles:CC(=O)Oc1ccccc1C(=O)O --opt
    mlsemi run naphthalene.xyz --charge 1 --solvent acetonitrile --doublets 5
    mlsemi run water.xyz --field 0,0,0.1 --polarizability
    mlsemi run graphene.cif --kpts 12x12x1 --forces
    mlsemi run trajectory.xyz --json results.jsonl
    mlsemi run formaldehyde.xyz --molden formaldehyde.molden
    mlsemi run dyes.sdf --singlets 5 --csv dyes.csv --json dyes.jsonl --processes 4 --skip-errors -q

    The first 1000 structures are read and checked before the first is computed; if some cannot be
    used, all of them are named and nothing is computed, unless --skip-errors is given. Records are
    written as they come: what a run that fails or is killed has finished stays in PATH.partial,
    and --resume goes on from there. Atoms, frames and orbitals are counted from 0.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli.work import jobs
    from mlsemi.cli.work.batches import Batch, Job
    from mlsemi.cli.work.resume import Done
    from mlsemi.outputs import check_distinct

    if str(molden) == "-":
        raise typer.BadParameter("--molden writes a file, not standard output")
    if resume and json_output in (None, "-") and csv is None:
        raise typer.BadParameter("--resume needs --json PATH or --csv PATH, where results stay")
    sources = jobs.sources_from(files, smiles)
    check_distinct(sources, (json_output, molden, csv))
    job = Job(
        jobs.parameters_from(parameters),
        {
            "singlets": singlets,
            "triplets": triplets,
            "doublets": doublets,
            "kpts": kpts,
            "method": jobs.method_from(full_tddft, select_ev, exact),
            "forces": forces,
            "polarizability": polarizability,
            "dispersion": dispersion,
            "electronic_temperature": electronic_temperature,
            "threads": threads,
            **jobs.surroundings_from(solvent, epsilon, field),
        },
        fragments=jobs.fragments_from(fragment),
        relax=opt,
        json=json_output is not None,
        summary=csv is not None,
        tables=None if quiet or json_output == "-" else "result",
        width=terminal.width(),
        molden=None if molden is None else molden.absolute(),
    )
    done = None
    if resume:
        to = None if json_output == "-" else json_output
        done = Done.of(to, csv, job.said(), jobs.checksum_of(parameters))
    batch = Batch(
        sources,
        charge,
        parameters,
        multiplicity,
        skip_errors,
        name_field,
        forces=forces,
        states=tuple(spin for spin, n in ((1, singlets or triplets), (2, doublets)) if n),
        molecular=() if molden is None else ("a Molden file",),
        done=done,
    )
    if molden is not None and len(batch.head) > 1:
        raise InputError(f"--molden takes a single structure, {len(batch.head)} were given")
    jobs.reserve(molden)
    with jobs.outputs(json_output, csv, quiet, done) as (emit, tabulate):
        for outcome in batch.outcomes(job, processes, scheduler, quiet):
            if outcome.line is not None:
                emit(outcome.line)
            if outcome.row is not None:
                tabulate(outcome.row)
            if outcome.text:
                terminal.print_tables(outcome.text)
    terminal.say_written(quiet, molden)
    batch.finish()
