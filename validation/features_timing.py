"""Density expansion and power spectrum beside featomic: 100 molecules of QM7's size, one core.

    python validation/features_timing.py

Molecules of at most seven heavy atoms (C, N, O, S), embedded from SMILES by RDKit. Both programs
get the same ASE structures and expand the same density (Gaussians of 0.3 angstrom, eight
orthonormal Gaussian-type radial functions, l <= 6, cutoff 5 angstrom) from scratch, the neighbour
search included; the coefficients agree to the accuracy of both programs' splines. Medians of
interleaved runs, in processor time of one thread, so that other load on the machine counts for
neither. The power spectrum is timed together with the expansion it is made from.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"

import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import report
from ase import Atoms
from featomic import SoapPowerSpectrum, SphericalExpansion

from mlsemi.representations.expansion import Expansion
from mlsemi.representations.neighbours import Points
from mlsemi.representations.power import power_spectrum
from mlsemi.representations.radial_tables import ShiftedCosine, gaussian_orbitals, smeared_functions
from mlsemi.training.data.geometries import embed

RADIUS, WIDTH, N_RADIAL, N_DEGREE = 5.0, 0.3, 8, 7
"""Angstrom; features know no units."""
ELEMENTS = (1, 6, 7, 8, 16)
ROUNDS = 25
SMILES = """
CC CCC CCCC CC(C)C CCCCC CC(C)CC CC(C)(C)C CCCCCC CCC(C)CC CCCCCCC C1CC1 C1CCC1 C1CCCC1 C1CCCCC1
C1CCCCCC1 CC1CC1 CC1CCCC1 CC1CCCCC1 C=C CC=C C=CC=C CC=CC C=C(C)C C1=CCCCC1 C#C CC#C CC#CC C=CC#C
c1ccccc1 Cc1ccccc1 CO CCO CCCO CC(C)O CC(C)(C)O CCCCO OCCO OCCCO COC CCOC CCOCC C1CO1 C1COC1
C1CCOC1 C1CCOCC1 C1COCCO1 C=O CC=O CCC=O CC(C)=O CCC(C)=O O=C1CCCC1 O=C1CCCCC1 C=CC=O OC=O CC(O)=O
CCC(O)=O COC=O COC(C)=O CCOC(C)=O O=C1CCCO1 Oc1ccccc1 c1ccoc1 Cc1ccco1 CN CCN CCCN CNC CN(C)C NCCN
C1CN1 C1CCNC1 C1CCNCC1 C1CNCCN1 C1COCCN1 NC=O CC(N)=O CNC=O CN(C)C=O CC(=O)NC NC(N)=O O=C1CCCN1
CC#N CCC#N C=CC#N N#CCC#N c1cc[nH]c1 c1c[nH]cn1 c1ccncc1 Cc1ccncc1 c1cnccn1 c1ccnnc1 Nc1ccccc1 CS
CCS CSC C1CCSC1 c1ccsc1 CS(C)=O NCC(O)=O
""".split()  # noqa: SIM905


def hypers() -> dict[str, object]:
    """What featomic is told."""
    return {
        "cutoff": {"radius": RADIUS, "smoothing": {"type": "ShiftedCosine", "width": RADIUS}},
        "density": {"type": "Gaussian", "width": WIDTH, "center_atom_weight": 0.0},
        "basis": {
            "type": "TensorProduct",
            "max_angular": N_DEGREE - 1,
            "radial": {"type": "Gto", "max_radial": N_RADIAL - 1},
        },
    }


def expansion_of() -> Expansion:
    """The same, as tables."""
    table = smeared_functions(
        gaussian_orbitals(RADIUS, N_RADIAL, N_DEGREE),
        RADIUS,
        N_DEGREE,
        WIDTH,
        ShiftedCosine(RADIUS, RADIUS),
    )
    return Expansion(ELEMENTS, table)


def tasks(frames: list[Atoms]) -> dict[str, Callable[[], object]]:
    """What is timed; every call starts from ASE structures."""
    expansion = expansion_of()
    theirs, spectrum = SphericalExpansion(**hypers()), SoapPowerSpectrum(**hypers())

    def ours() -> dict:
        points = [Points(frame.numbers, frame.positions) for frame in frames]
        return expansion(expansion.neighbours(points))

    return {
        "expansion, mlsemi": ours,
        "expansion, featomic": lambda: theirs.compute(frames),
        "power spectrum, mlsemi": lambda: power_spectrum(ours(), N_RADIAL),
        "power spectrum, featomic": lambda: spectrum.compute(frames),
    }


def difference(frames: list[Atoms]) -> float:
    """Largest disagreement of the coefficients, relative to the largest of them."""
    norm = (np.pi * WIDTH**2) ** -0.75 * (2.0 * np.pi * WIDTH**2) ** 1.5
    named = tasks(frames)
    mine, found = named["expansion, mlsemi"](), named["expansion, featomic"]()
    start = np.cumsum([0, *map(len, frames)])
    largest, size = 0.0, 0.0
    for key, block in found.items():
        rows = start[block.samples.values[:, 0]] + block.samples.values[:, 1]
        a = ELEMENTS.index(int(key["neighbor_type"])) * N_RADIAL
        value = norm * mine[int(key["o3_lambda"]), 1][rows, :, a : a + N_RADIAL]
        largest = max(largest, float(np.abs(value - block.values).max()))
        size = max(size, float(np.abs(block.values).max()))
    return largest / size


def medians(named: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median processor time of each task, s; every round runs all of them."""
    for task in named.values():
        task()
    times: dict[str, list[float]] = {name: [] for name in named}
    for _ in range(ROUNDS):
        for name, task in named.items():
            start = time.process_time()
            task()
            times[name].append(time.process_time() - start)
    return {name: float(np.median(values)) for name, values in times.items()}


def main() -> None:
    """Time, write features_timing.md and .json; fail if featomic is faster."""
    frames = [embed(smiles, seed=1)[0] for smiles in SMILES]
    found = medians(tasks(frames))
    ratios = {
        name: found[f"{name}, featomic"] / found[f"{name}, mlsemi"]
        for name in ("expansion", "power spectrum")
    }
    n_atom = sum(map(len, frames))
    apart = difference(frames)
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        report.table(
            ["", "featomic's time / mlsemi's time"],
            [[name, f"{ratio:.1f}"] for name, ratio in ratios.items()],
        ),
        f"{len(frames)} molecules, {n_atom} atoms, {ROUNDS} rounds, featomic "
        f"{version('featomic')}. Largest disagreement of a "
        f"coefficient, relative to the largest coefficient: {apart:.0e}.",
    ]
    report.write(
        "features_timing",
        "Density features beside featomic",
        sections,
        {"n_molecule": len(frames), "n_atom": n_atom, "ratios": ratios, "disagreement": apart},
    )
    if min(ratios.values()) < 1.0:
        raise SystemExit("slower than featomic")


if __name__ == "__main__":
    main()
