"""The commands ``mlsemi optimize``, ``scan`` and ``conformers``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlsemi.cli.options import (
    DEFAULT_PARAMETERS,
    Charge,
    Epsilon,
    File,
    Files,
    Fix,
    Fmax,
    JsonOutput,
    Keep,
    Multiplicity,
    ParameterSet,
    Quiet,
    SkipErrors,
    Smiles,
    SolventName,
    State,
    Steps,
    Threads,
    XyzOutput,
)


def optimize(
    files: Files = None,
    smiles: Smiles = None,
    output: XyzOutput = None,
    state: State = 0,
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    fmax: Fmax = 0.01,
    steps: Steps = 500,
    fix: Fix = None,
    keep: Keep = None,
    path: Annotated[
        Path | None, typer.Option("--path", metavar="XYZ", help="Every step, for one structure.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Start from the last step in --path.")
    ] = False,
    json_output: JsonOutput = None,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
    skip_errors: SkipErrors = False,
    quiet: Quiet = False,
) -> None:
    """Relax structures: ground state, excited singlets (--state), triplets and ions.

    \b
    mlsemi optimize caffeine.xyz
    mlsemi optimize "smiles:CC(=O)Oc1ccccc1C(=O)O" -o aspirin.xyz
    mlsemi optimize formaldehyde.xyz --state 1          on S1; emission energy
    mlsemi optimize formaldehyde.xyz --multiplicity 3   T1
    mlsemi optimize butane.xyz --keep 0-1-2-3 --fix 0   a dihedral kept, an atom fixed

    Without -o a file NAME.xyz becomes NAME-optimized.xyz here. A structure whose forces do not
    fall below --fmax in --steps is written too, and the exit status is 1.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli.work import jobs, moving, terminal
    from mlsemi.cli.work.batches import Batch
    from mlsemi.draw.report import json_line
    from mlsemi.nuclei.relaxation import relax, unfinished_text
    from mlsemi.outputs import check_distinct
    from mlsemi.units import EV_NM, HARTREE_EV

    if resume and path is None:
        raise typer.BadParameter("--resume needs --path, where the steps are")
    sources = jobs.sources_from(files, smiles)
    target = moving.output_beside(output, sources[0], "optimized")
    held = moving.constraints_from(fix, keep)
    spins = (1,) if state else ()
    batch = Batch(sources, charge, parameters, multiplicity, skip_errors, states=spins)
    if path is not None:
        jobs.only_one(batch.frames, sources[0], "--path")
    check_distinct(sources, (target, json_output, path))
    jobs.reserve(target)
    texts: list[str] = []
    unfinished: list[str] = []
    with terminal.lines_sink(json_output, quiet) as emit, terminal.status(quiet) as show:
        for frame in batch.structures():
            with batch.attempt():
                calculator = moving.surface_of(frame, parameters, state, solvent, epsilon, threads)
                start, before = moving.begun(frame, path if resume else None)
                with (
                    moving.said_of(frame, quiet),
                    terminal.lines_sink(None if path is None else str(path), quiet, before) as step,
                ):
                    done = relax(
                        start,
                        calculator,
                        fmax=fmax,
                        steps=steps,
                        constraints=held,
                        tell=lambda k, e, f: show(f"step {k}: {e:.4f} eV, largest force {f:.3f}"),
                        keep=lambda atoms: step(moving.xyz_of(frame, atoms)),  # noqa: B023
                    )
                last = float(done.energies_ev[-1])
                texts.append(moving.xyz_of(frame, done.atoms, energy_ev=round(last, 6)) + "\n")
                record = moving.record_of(frame, calculator, done.atoms) | {
                    "energy_ev": last,
                    "energies_ev": done.energies_ev.tolist(),
                    "converged": done.converged,
                    "steps": done.steps,
                    "fmax_ev_per_angstrom": done.fmax_ev_per_angstrom,
                    "moved_angstrom": done.moved_angstrom,
                }
                lines = [
                    moving.heading(frame, calculator),
                    f"{moving.surface_name(frame, state)}: {done.steps} steps, largest force "
                    f"{done.fmax_ev_per_angstrom:.4f} eV/angstrom",
                    f"energy {last:.5f} eV, {done.energies_ev[0] - last:.5f} eV below the start; "
                    f"atoms moved by {done.moved_angstrom:.3f} angstrom",
                ]
                if calculator.surface is not None:
                    gap = calculator.surface.emission_energy * HARTREE_EV
                    record["emission_ev"] = gap
                    lines.append(f"vertical emission to S0: {gap:.3f} eV, {EV_NM / gap:.1f} nm")
                emit(json_line(record))
                if not quiet and json_output != "-":
                    terminal.print_tables("\n".join(lines))
                if not done.converged:
                    unfinished.append(f"{frame.label}: {unfinished_text(done)}")
    moving.write_text(target, texts)
    terminal.say_written(quiet, target)
    batch.finish()
    moving.finish(unfinished)


def scan(
    file: File,
    coordinate: Annotated[
        str, typer.Argument(metavar="ATOMS", help="0-1: a distance; 0-1-2: an angle; 0-1-2-3.")
    ],
    start: Annotated[
        float | None, typer.Option("--from", metavar="A", help="Angstrom or degrees.")
    ] = None,
    stop: Annotated[
        float | None, typer.Option("--to", metavar="B", help="Dihedrals: a full turn by default.")
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(min=2, help="Number of points.  [default: 13, of a full turn 25]"),
    ] = None,
    rigid: Annotated[bool, typer.Option("--rigid", help="Relax nothing.")] = False,
    output: XyzOutput = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Figure: .png, .svg or .pdf.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="PATH", help="Values and energies.")] = None,
    state: State = 0,
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    fmax: Fmax = 0.02,
    fix: Fix = None,
    keep: Keep = None,
    json_output: JsonOutput = None,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
    quiet: Quiet = False,
) -> None:
    """Energy along a distance, an angle or a dihedral angle; everything else is relaxed.

    \b
    mlsemi scan butane.xyz 0-1-2-3 --plot butane.png
    mlsemi scan smiles:CC=O 3-1-0-4 --from 0 --to 120 --points 9 --csv methyl.csv
    mlsemi scan water.xyz 0-1 --from 0.8 --to 1.4 --rigid

    Atoms are counted from 0. What hangs on the last atom moves; each point starts from the one
    before. The geometries are written to NAME-scan.xyz, or -o.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli.work import jobs, moving, terminal
    from mlsemi.draw.plots import check_format, save
    from mlsemi.draw.profiles import scan_figure
    from mlsemi.draw.report import json_line
    from mlsemi.errors import located
    from mlsemi.nuclei import scan as nuclei_scan
    from mlsemi.nuclei.relaxation import check_coordinate, coordinates_from, value_of
    from mlsemi.outputs import check_distinct

    (along,) = coordinates_from([coordinate])
    held = moving.constraints_from(fix, keep)
    frame = jobs.single(file, charge, parameters, multiplicity, "scan")
    atoms = frame.structure.to_ase()
    with located(frame.label):
        check_coordinate(along, len(atoms))
        values = moving.values_between(value_of(atoms, along), len(along), start, stop, points)
    if plot is not None:
        check_format(plot)
    target = moving.output_beside(output, file, "scan")
    check_distinct([file], (target, plot, csv, json_output))
    jobs.reserve(target, plot, csv)
    calculator = moving.surface_of(frame, parameters, state, solvent, epsilon, threads)
    with moving.said_of(frame, quiet), terminal.status(quiet) as show:
        found = nuclei_scan.scan(
            atoms,
            along,
            values,
            calculator,
            rigid=rigid,
            fmax=fmax,
            constraints=held,
            tell=lambda k, v, e: show(f"point {k + 1} of {len(values)}: {v:.3f}, {e:.4f} eV"),
        )
    kind = ("distance", "angle", "dihedral angle")[len(along) - 2]
    unit = "angstrom" if len(along) == 2 else "degrees"
    with terminal.lines_sink(json_output, quiet) as emit:
        record = moving.record_of(frame, calculator, atoms)
        record |= {"coordinate": list(along), "kind": kind, "unit": unit}
        record |= {"values": found.values.tolist(), "energies_ev": found.energies_ev.tolist()}
        emit(json_line(record | {"converged": found.converged.tolist()}))
    facts = [{"value": round(v, 6), "energy_ev": e} for v, e in moving.pairs(found)]
    texts = [moving.xyz_of(frame, a, **f) + "\n" for a, f in zip(found.frames, facts, strict=True)]
    moving.write_text(target, texts)
    if csv is not None:
        rows = [f"{v:.6g},{e:.6f}\n" for v, e in moving.pairs(found)]
        moving.write_text(csv, [f"{kind.replace(' ', '_')}_{unit},energy_ev\n", *rows])
    if plot is not None:
        label = f"{kind} {coordinate} / {unit}"
        save(scan_figure(found.values, found.energies_ev, label, moving.title_of(frame)), plot)
    if not quiet and json_output != "-":
        surface = moving.surface_name(frame, state)
        how = f"{surface}, {kind} {coordinate}, {'rigid' if rigid else 'relaxed'}"
        terminal.print_tables(
            "\n".join([moving.heading(frame, calculator), how, *moving.scan_lines(found, unit)])
        )
    for path in (target, csv, plot):
        terminal.say_written(quiet, path)
    bad = [f"{v:g}" for v, ok in zip(found.values, found.converged, strict=True) if not ok]
    moving.finish([f"{frame.label}: not relaxed at {', '.join(bad)} {unit}"] if bad else [])


def conformers(
    file: File,
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, metavar="N", help="To build.")
    ] = 30,
    output: XyzOutput = None,
    window_ev: Annotated[
        float, typer.Option(min=0.0, metavar="E", help="Above the lowest, the others are left out.")
    ] = 0.5,
    temperature: Annotated[
        float, typer.Option(min=1.0, metavar="KELVIN", help="Of the populations.")
    ] = 298.15,
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    fmax: Fmax = 0.02,
    json_output: JsonOutput = None,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
    quiet: Quiet = False,
) -> None:
    """Different minima of a molecule, lowest first: built by RDKit, relaxed here, told apart.

    \b
    mlsemi conformers smiles:CCCCO -n 50 -o butanol.xyz
    mlsemi conformers ibuprofen.xyz --solvent water
    mlsemi spectrum butanol.xyz --plot average.png

    Mirror images count as two. Populations are those of the energies alone. Bonds of a file without
    any are found from distances. The geometries are written to NAME-conformers.xyz, or -o.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli.work import jobs, moving, terminal
    from mlsemi.draw.report import json_line
    from mlsemi.errors import located
    from mlsemi.molecule.smiles import PREFIX, molecule_of
    from mlsemi.nuclei import conformers as minima
    from mlsemi.outputs import check_distinct

    frame = jobs.single(file, charge, parameters, multiplicity, "conformers")
    target = moving.output_beside(output, file, "conformers")
    check_distinct([file], (target, json_output))
    jobs.reserve(target)
    calculator = moving.surface_of(frame, parameters, 0, solvent, epsilon, threads)
    with moving.said_of(frame, quiet), terminal.status(quiet) as show:
        with located(frame.label):
            if file.startswith(PREFIX):
                drawn = molecule_of(file.removeprefix(PREFIX))
            else:
                drawn = minima.drawn(frame.structure.to_ase(), frame.structure.charge)
        found = minima.conformers(
            drawn,
            number,
            calculator,
            fmax=fmax,
            tell=lambda k, n: show(f"{k} of {n} conformers relaxed"),
        )
    found = found.within(window_ev)
    weights = found.populations(temperature)
    above = found.energies_ev - found.energies_ev[0]
    texts = []
    for k, atoms in enumerate(found.frames):
        facts = {"energy_ev": round(float(found.energies_ev[k]), 6)}
        facts |= {"relative_ev": round(float(above[k]), 6), "population": round(weights[k], 6)}
        texts.append(moving.xyz_of(frame, atoms, **facts) + "\n")
    with terminal.lines_sink(json_output, quiet) as emit:
        record = moving.record_of(frame, calculator, found.frames[0])
        record |= {"energies_ev": found.energies_ev.tolist(), "populations": weights.tolist()}
        record["positions_angstrom"] = [atoms.positions.tolist() for atoms in found.frames]
        emit(json_line(record))
    moving.write_text(target, texts)
    if not quiet and json_output != "-":
        lines = moving.conformer_lines(found, weights, temperature)
        terminal.print_tables("\n".join([moving.heading(frame, calculator), *lines]))
    terminal.say_written(quiet, target)
