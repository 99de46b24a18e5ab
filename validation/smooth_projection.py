"""Projected Hamiltonians with and without a choice of virtuals: smoothness, LUMO, learning.

Each of twenty small molecules moves along a random direction (stretches, bends and torsions at
once) in steps of 0.01 angstrom, B3LYP/def2-SVP. Where the last virtual orbital is chosen (theory
eq 6) matrix elements jump; the valence-virtual space has no choice, but its LUMO is too high;
weights exp(-eps / w) (eq 6a) leave both right. "Bend" is the largest second difference of an
element along the path over its usual first difference: about 0.05 for a smooth path, 1 for a jump.

Learning: the same linear model (OperatorRegressor, rho^2) on frames of formaldehyde and ethene with
random displacements of 0.04 angstrom, errors on 30 other frames against the reference's own levels.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import report
from ase import Atoms
from ase.build import molecule
from panels import Panel, figure_of
from rich.progress import track
from thermal_frames import CACHE, core_orbitals, reduced

from mlsemi.draw.plots import save
from mlsemi.molecule.structure import Structure
from mlsemi.representations.learning.block_features import BlockFeatures
from mlsemi.representations.learning.hamiltonian import OperatorRegressor
from mlsemi.representations.learning.operators import OperatorLayout
from mlsemi.training.data.projection import projected_hamiltonian, smooth_hamiltonian
from mlsemi.training.reference.calculation import Level, mean_field
from mlsemi.units import HARTREE_EV

MOLECULES = [
    "H2CO",
    "C2H4",
    "HCN",
    "H2O",
    "NH3",
    "CH4",
    "C2H2",
    "CH3OH",
    "HF",
    "CO",
    "N2",
    "CO2",
    "HCOOH",
    "F2",
    "H2O2",
    "N2H4",
    "C2H6",
    "HOCl",
    "CH3Cl",
    "SH2",
]
LEARNED = ("H2CO", "C2H4")
STEPS = 0.01 * np.arange(-4, 5)
N_FRAME, AMPLITUDE, SIZES, N_TEST = 90, 0.04, (15, 30, 60), 30
LAYOUT = OperatorLayout({1: (0,), 6: (0, 1), 8: (0, 1)})
KEYS = {"step_ev": 2, "bend": 2, "lumo_error_ev": 3}
"""What is shown of a path, and to how many digits."""
SMOOTH = 0.2
"""Largest bend that is no jump."""


class Levels(NamedTuple):
    """What a calculation leaves: amplitudes and energies without the core."""

    structure: Structure
    amplitudes: np.ndarray
    energies: np.ndarray

    @property
    def n_occupied(self) -> int:
        """Occupied valence orbitals."""
        return self.structure.n_electron // 2

    def hamiltonian(self, kind: str) -> np.ndarray:
        """One of the three projections, hartree."""
        return PROJECTIONS[kind](self.amplitudes, self.energies, self.n_occupied)

    @property
    def lumo(self) -> float:
        """The lowest virtual level that (6) chooses, which is one of the reference."""
        n = self.n_occupied
        return float(np.linalg.eigvalsh(self.hamiltonian("chosen (6)"))[n])


def valence_virtual(amplitudes: np.ndarray, energies: np.ndarray, n_occupied: int) -> np.ndarray:
    """All weights equal: the Fock matrix in the frame."""
    return smooth_hamiltonian(amplitudes, energies, n_occupied, 1e9)


PROJECTIONS: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "chosen (6)": projected_hamiltonian,
    "valence-virtual": valence_virtual,
    "weighted (6a)": smooth_hamiltonian,
}


def levels_of(name: str, frames: Iterable[Atoms]) -> list[Levels]:
    """Calculations of frames, kept in a file each."""
    folder = CACHE / "smooth_projection"
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for number, atoms in enumerate(track(list(frames), name, transient=True)):
        structure, file = Structure.from_ase(atoms), folder / f"{name}-{number}.npz"
        if not file.exists():
            solver, _ = mean_field(structure, Level("b3lyp", "def2-svp"))
            found, core = reduced(solver, structure), core_orbitals(structure)
            np.savez(
                file, amplitudes=found["amplitudes"][:, core:], energies=found["energies"][core:]
            )
        with np.load(file) as data:
            out.append(Levels(structure, data["amplitudes"], data["energies"]))
    return out


def path_of(name: str) -> list[Atoms]:
    """Frames of one molecule along a direction of its own."""
    start = molecule(name)
    rng = np.random.default_rng(list(name.encode()))
    direction = rng.normal(size=start.positions.shape)
    direction *= np.sqrt(len(start)) / np.linalg.norm(direction)
    frames = [start.copy() for _ in STEPS]
    for frame, step in zip(frames, STEPS, strict=True):
        frame.positions += step * direction
    return frames


def displaced(name: str) -> list[Atoms]:
    """Frames to learn from."""
    rng = np.random.default_rng(0)
    frames = [molecule(name) for _ in range(N_FRAME)]
    for frame in frames:
        frame.positions += rng.normal(scale=AMPLITUDE, size=frame.positions.shape)
    return frames


def roughness(path: list[Levels]) -> dict[str, dict[str, float]]:
    """Largest step (eV), bend, and error of the LUMO (eV), of every projection."""
    out = {}
    exact = np.array([point.lumo for point in path])
    for kind in PROJECTIONS:
        matrices = HARTREE_EV * np.array([point.hamiltonian(kind) for point in path])
        first, second = (np.abs(np.diff(matrices, n, axis=0)).max(axis=(1, 2)) for n in (1, 2))
        lumo = np.linalg.eigvalsh(matrices)[:, path[0].n_occupied]
        out[kind] = {
            "step_ev": float(first.max()),
            "bend": float(second.max() / np.median(first)),
            "lumo_error_ev": float(np.abs(lumo - HARTREE_EV * exact).max()),
        }
    return out


def learned(frames: list[Levels]) -> dict[str, dict[int, dict[str, float]]]:
    """Errors (meV) of every projection against number of training frames."""
    structures = [frame.structure for frame in frames]
    features = BlockFeatures(LAYOUT, 2, 9.0, 6, 3, 40, 400).fit_transform(structures)
    n = frames[0].n_occupied
    test = frames[-N_TEST:]
    occupied = np.array([frame.energies[:n] for frame in test])
    lumo = np.array([frame.lumo for frame in test])
    out: dict[str, dict[int, dict[str, float]]] = {}
    for kind in PROJECTIONS:
        matrices = [frame.hamiltonian(kind) for frame in frames]
        for size in SIZES:
            model = OperatorRegressor(LAYOUT).fit(features[:size], matrices[:size])
            found = np.array(model.predict(features[-N_TEST:]))
            levels = np.linalg.eigvalsh(found)
            errors = {
                "elements": np.sqrt(np.mean((found - np.array(matrices[-N_TEST:])) ** 2)),
                "occupied": np.abs(levels[:, :n] - occupied).mean(),
                "lumo": np.abs(levels[:, n] - lumo).mean(),
            }
            out.setdefault(kind, {})[size] = {
                key: float(1000.0 * HARTREE_EV * value) for key, value in errors.items()
            }
    return out


def main() -> None:
    """Write smooth_projection.md, .json and .png; fail if a path is not smooth."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    paths = {name: roughness(levels_of(name, path_of(name))) for name in MOLECULES}
    curves = {name: learned(levels_of(f"{name}-frames", displaced(name))) for name in LEARNED}
    rows = [
        [name, *(f"{one[k][key]:.{d}f}" for k in PROJECTIONS for key, d in KEYS.items())]
        for name, one in paths.items()
    ]
    head = ["", *(f"{kind}: {text}" for kind in PROJECTIONS for text in ("step", "bend", "LUMO"))]
    learning = [
        [name, kind, size, *(f"{errors[key]:.1f}" for key in ("elements", "occupied", "lumo"))]
        for name, one in curves.items()
        for kind, sizes in one.items()
        for size, errors in sizes.items()
    ]
    panels = [
        Panel(
            "training frames",
            "error of elements / meV",
            {
                kind: (list(sizes), [e["elements"] for e in sizes.values()], "o-")
                for kind, sizes in one.items()
            },
            title=name,
        )
        for name, one in curves.items()
    ]
    save(figure_of(panels), report.HERE / "smooth_projection.png")
    report.write(
        "smooth_projection",
        "Projection without a choice",
        [
            " ".join(__doc__.split("\n\n", 1)[1].split()),
            "Largest step of an element (eV), bend, and error of the LUMO (eV) at worst:",
            report.table(head, rows),
            "Learning, errors in meV: root mean square of elements, mean of occupied levels, LUMO:",
            report.table(
                ["molecule", "projection", "frames", "elements", "occupied", "LUMO"], learning
            ),
            "![learning curves](smooth_projection.png)",
        ],
        {"paths": paths, "learning_mev": curves},
    )
    rough = [name for name, one in paths.items() if one["weighted (6a)"]["bend"] > SMOOTH]
    if rough:
        raise SystemExit(f"not smooth: {', '.join(rough)}")


if __name__ == "__main__":
    main()
