"""The command ``mlsemi vibrations``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlsemi.cli.options import (
    DEFAULT_PARAMETERS,
    Charge,
    Epsilon,
    File,
    JsonOutput,
    Multiplicity,
    Opt,
    ParameterSet,
    Quiet,
    SolventName,
    State,
    Threads,
)

BAR = 1e5
"""Pascal."""


def vibrations(
    file: File,
    opt: Opt = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Infrared spectrum: .png, .svg or .pdf.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="PATH", help="Table of the modes.")] = None,
    width_cm: Annotated[
        float, typer.Option(min=0.1, metavar="W", help="Of a line, cm^-1, in the figure.")
    ] = 12.0,
    films: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Films of the modes (xyz): imaginary ones, or --all."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Films of all modes.")] = False,
    temperature: Annotated[
        float, typer.Option(min=1.0, metavar="KELVIN", help="Of the gas.")
    ] = 298.15,
    pressure: Annotated[float, typer.Option(min=1e-9, metavar="BAR", help="Of the gas.")] = 1.01325,
    symmetry_number: Annotated[
        int, typer.Option(min=1, help="Rotations that map the molecule onto itself.")
    ] = 1,
    state: State = 0,
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    json_output: JsonOutput = None,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
    quiet: Quiet = False,
) -> None:
    """Frequencies, infrared intensities, thermochemistry.

    \b
    mlsemi vibrations water-optimized.xyz --symmetry-number 2
    mlsemi vibrations smiles:CC=O --opt --plot infrared.png
    mlsemi vibrations transition-state.xyz --films films

    Harmonic, from differences of analytic forces, unscaled; translations and rotations are
    projected out. Intensities are those of the ground state. Enthalpy, entropy and free energy:
    ideal gas, rigid rotor; imaginary modes, printed as negative numbers, do not take part.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.cli.work import jobs, moving, terminal
    from mlsemi.draw.plots import check_format, save
    from mlsemi.draw.profiles import infrared_curve, infrared_figure, infrared_grid
    from mlsemi.draw.report import json_line
    from mlsemi.nuclei import vibrations as modes
    from mlsemi.nuclei.relaxation import relax, unfinished_text
    from mlsemi.outputs import check_distinct, counted, folder

    if every and films is None:
        raise typer.BadParameter("--all belongs to --films")
    if plot is not None:
        check_format(plot)
        if state:
            raise typer.BadParameter("intensities are those of the ground state: no --plot")
    check_distinct([file], (plot, csv, json_output))
    frame = jobs.single(file, charge, parameters, multiplicity, "vibrations")
    jobs.reserve(plot, csv)
    calculator = moving.surface_of(frame, parameters, state, solvent, epsilon, threads)
    atoms = frame.structure.to_ase()
    notes = []
    with moving.said_of(frame, quiet), terminal.status(quiet) as show:
        if opt:
            relaxed = relax(
                atoms, calculator, fmax=1e-3, tell=lambda k, e, f: show(f"step {k}: force {f:.4f}")
            )
            notes = [] if relaxed.converged else [unfinished_text(relaxed)]
            atoms = relaxed.atoms
        found = modes.vibrations(
            atoms, calculator, tell=lambda k, n: show(f"{k} of {n} displacements")
        )
    if found.largest_force > modes.RELAXED:
        notes.append(
            f"the largest force is {found.largest_force:.3f} eV/angstrom: frequencies mean "
            "something at stationary points; relax first (--opt)"
        )
    if found.imaginary.size:
        notes.append(f"{counted(found.imaginary.size, 'imaginary mode')}: no minimum")
    if not quiet:
        for text in notes:
            terminal.warn(f"{frame.label}: {text}")
    thermal = found.thermochemistry(temperature, pressure * BAR, symmetry_number)
    with terminal.lines_sink(json_output, quiet) as emit:
        record = moving.record_of(frame, calculator, found.atoms) | {
            "energy_ev": found.energy_ev,
            "wavenumbers_cm": found.wavenumbers.tolist(),
            "infrared_km_per_mol": found.intensities.tolist(),
            "modes_angstrom": found.modes.tolist(),
            "thermochemistry": thermal,
            "warnings": [*frame.warnings, *notes],
        }
        emit(json_line(record))
    if not quiet and json_output != "-":
        lines = moving.mode_lines(found, thermal)
        terminal.print_tables("\n".join([moving.heading(frame, calculator), *lines]))
    if csv is not None:
        pairs = zip(found.wavenumbers, found.intensities, strict=True)
        rows = [f"{at:.3f},{strength:.4f}\n" for at, strength in pairs]
        moving.write_text(csv, ["wavenumber_cm,infrared_km_per_mol\n", *rows])
    if plot is not None:
        grid = infrared_grid(found.wavenumbers, width_cm)
        curve = infrared_curve(grid, found.wavenumbers, found.intensities, width_cm)
        title = moving.title_of(frame)
        save(infrared_figure(grid, curve, found.wavenumbers, found.intensities, title), plot)
    for path in (csv, plot):
        terminal.say_written(quiet, path)
    if films is not None:
        chosen = range(len(found.wavenumbers)) if every else found.imaginary.tolist()
        with folder(films):
            for k in chosen:
                path = films / f"mode-{k:03d}_{found.wavenumbers[k]:.0f}.xyz"
                moving.write_text(path, [moving.xyz_of(frame, a) + "\n" for a in found.frames(k)])
                terminal.say_written(quiet, path)
