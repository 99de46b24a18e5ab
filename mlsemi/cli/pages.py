"""The commands ``mlsemi page`` and ``mlsemi serve``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from mlsemi.cli.options import (
    DEFAULT_PARAMETERS,
    Charge,
    Epsilon,
    File,
    FullResponse,
    Multiplicity,
    Opt,
    ParameterSet,
    Quiet,
    SolventName,
    Threads,
    Triplets,
)


def page(
    file: File,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="HTML", help="The file.")
    ] = None,
    singlets: Annotated[int, typer.Option(min=0, help="Lowest singlet excitations.")] = 20,
    triplets: Triplets = 0,
    opt: Opt = False,
    full_tddft: FullResponse = False,
    charge: Charge = None,
    multiplicity: Multiplicity = None,
    solvent: SolventName = None,
    epsilon: Epsilon = None,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
    threads: Threads = 1,
    quiet: Quiet = False,
) -> None:
    """One HTML file to look at: molecule, orbitals, levels, spectrum; works without a network.

    \b
    mlsemi page p-nitroaniline.xyz
    mlsemi page "smiles:CN(C)c1ccc(cc1)C=O" --opt --solvent water -o aldehyde.html

    A click on a stick of the spectrum shows the natural transition orbitals of the state, a click
    on a level its orbital. Without -o the file is NAME-page.html in this folder. Open shells have
    no excited states here: their page shows orbitals.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    from mlsemi.batch import with_notes
    from mlsemi.cli.work import jobs, moving, terminal
    from mlsemi.cli.work.batches import relaxed_frame
    from mlsemi.errors import located
    from mlsemi.outputs import check_distinct
    from mlsemi.page.document import page as page_of

    frame = jobs.single(file, charge, parameters, multiplicity, "page")
    around = jobs.surroundings_from(solvent, epsilon)
    target = output or moving.output_beside(None, file, "page").with_suffix(".html")
    check_distinct([file], [target])
    jobs.reserve(target)
    if frame.structure.multiplicity > 1:
        singlets = triplets = 0
    if opt:
        frame = relaxed_frame(frame, parameters, around)
    computed = jobs.calculate(
        frame,
        parameters,
        threads,
        singlets=singlets,
        triplets=triplets,
        method=jobs.method_from(full_tddft, None),
        **around,
    )
    result = with_notes(computed, frame)
    with located(frame.label):
        command = shlex.join(["mlsemi", *sys.argv[1:]])
        text = page_of(result, command, moving.title_of(frame))
    if not quiet:
        for note in result.warnings:
            terminal.warn(f"{frame.label}: {note}")
    moving.write_text(target, [text])
    terminal.say_written(quiet, target)


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8765,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")
    ] = True,
    parameters: ParameterSet = DEFAULT_PARAMETERS,
) -> None:
    """A live page in the browser of this machine: SMILES or xyz in, spectrum out. Ctrl-C ends it.

    \b
    mlsemi serve
    mlsemi serve --port 9000 --no-browser

    It listens on 127.0.0.1 alone: nobody else on the network can reach it.
    """  # noqa: D301 (click reads the backspace: do not rewrap)
    import webbrowser

    from mlsemi.cli.work import terminal
    from mlsemi.cli.work.server import server

    with server(port, parameters) as running:
        address = f"http://127.0.0.1:{running.server_address[1]}/"
        terminal.note(f"listening on {address} (Ctrl-C ends it)")
        if browser:
            webbrowser.open(address)
        running.serve_forever()
