"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_PARAMETERS = "organic-1"
MOST_THREADS = 1024
MOST_CHARGE = 10_000

SolventName = Annotated[
    str | None,
    typer.Option("--solvent", metavar="NAME", help="Polarisable continuum; 'help' lists names."),
]
Epsilon = Annotated[
    float | None, typer.Option(metavar="E", help="Or one of this dielectric constant.")
]
Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE...",
        help="Structures: any format ASE reads, smiles:CCO, example:caffeine; - is xyz on stdin.",
    ),
]
Smiles = Annotated[
    list[str] | None,
    typer.Option("--smiles", metavar="SMILES", help="Or a SMILES; repeat for more."),
]
File = Annotated[
    str,
    typer.Argument(metavar="FILE", help="One structure: a file, smiles:CCO, example:caffeine, -."),
]
XyzOutput = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="XYZ", help="Where the structures go.")
]
State = Annotated[
    int, typer.Option(min=0, metavar="K", help="0: the ground state; K: the K-th excited singlet.")
]
Fmax = Annotated[
    float, typer.Option(min=1e-5, metavar="F", help="Largest force at the end, eV/angstrom.")
]
Steps = Annotated[int, typer.Option(min=1, help="At most.")]
Fix = Annotated[str | None, typer.Option(metavar="ATOMS", help="0-11,14: atoms that do not move.")]
Keep = Annotated[
    list[str] | None,
    typer.Option(metavar="ATOMS", help="0-1, 0-1-2, 0-1-2-3: a coordinate that stays; repeat."),
]
Opt = Annotated[bool, typer.Option("--opt", help="Relax each structure first.")]
NameField = Annotated[
    str | None,
    typer.Option(metavar="FIELD", help="SDF data field that names the records, not their title."),
]
Processes = Annotated[
    int, typer.Option(min=1, max=MOST_THREADS, help="Processes side by side, one thread each.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Or the workers of this dask scheduler."),
]
Charge = Annotated[
    int | None,
    typer.Option(
        min=-MOST_CHARGE,
        max=MOST_CHARGE,
        help="Total charge. Default: what the file says (charge=N), else 0.",
    ),
]
Multiplicity = Annotated[
    int | None,
    typer.Option(
        metavar="M",
        help="2 S + 1. Default: what the file says, else 1, or 2 for an odd number of electrons.",
    ),
]
ParameterSet = Annotated[
    str,
    typer.Option("--parameters", metavar="NAME|PATH", help="See 'mlsemi info'."),
]
Fragment = Annotated[
    list[str] | None,
    typer.Option(metavar="ATOMS", help="0-11,14: a fragment for charge-transfer numbers; repeat."),
]
FullResponse = Annotated[
    bool, typer.Option("--full-tddft", help="De-excitations too (sTD-DFT instead of sTDA).")
]
SelectEv = Annotated[
    float | None,
    typer.Option(
        metavar="E",
        help="Huge molecules: leave out what lowers no state by more than E eV (try 0.2).",
    ),
]
Exact = Annotated[
    bool,
    typer.Option(
        "--exact",
        help="Converge excited states of large molecules, good to 0.001 eV otherwise, all the way.",
    ),
]
KPoints = Annotated[
    str | None,
    typer.Option(
        metavar="NxNxN", help="Mesh around Gamma in a periodic cell.  [default: one that fits]"
    ),
]
Threads = Annotated[
    int, typer.Option(min=1, max=MOST_THREADS, help="Threads; one is best for small molecules.")
]
Triplets = Annotated[int, typer.Option(min=0, help="Lowest triplet excitations.")]
Doublets = Annotated[int, typer.Option(min=0, help="Lowest doublet excitations of a radical.")]
SkipErrors = Annotated[
    bool,
    typer.Option(
        "--skip-errors",
        help="Leave out what cannot be computed; name it at the end, with exit status 1.",
    ),
]
JsonOutput = Annotated[
    str | None,
    typer.Option("--json", metavar="PATH|-", help="JSON, one line per structure; - is stdout."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No tables, warnings or progress.")]
