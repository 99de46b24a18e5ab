"""Symmetry of the learned Hamiltonian: point-group degeneracies and invariances.

    python validation/symmetry.py --parameters organic-1

The multiplets that group theory demands of the valence minimal basis are counted and their largest
splitting is given. Benzene: five sets of six equivalent orbitals, each 2 one- and 2
two-dimensional irreps of D6h. Methane: a1 + t2 from carbon and from the hydrogens. C60: four sets
of 60 equivalent orbitals, each with the dimensions of 1 A, 6 T, 4 G, 5 H. Geometries are built
symmetric to the last digit with the bond lengths of `ase.build.molecule`: its own benzene is
rounded to 1e-6 angstrom and its C60 lies 5e-3 angstrom off icosahedral symmetry, which no
Hamiltonian of the coordinates can hide.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections import Counter
from itertools import combinations

import numpy as np
import report
from ase.build import molecule
from scipy.spatial.distance import pdist, squareform
from scipy.stats import ortho_group

from mlsemi import singlepoint
from mlsemi.molecule.formats import read_structures
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.units import BOHR_ANGSTROM

TOLERANCE = 1e-6
"""Levels closer than this are one multiplet, hartree."""
EXAMPLE = report.HERE.parent / "docs" / "examples" / "caffeine.xyz"
SEED = 0
N_ROTATION = 20
EXPECTED = {
    "benzene": {1: 10, 2: 10},
    "methane": {1: 2, 3: 2},
    "C60": {1: 4, 3: 24, 4: 16, 5: 20},
}


def benzene() -> Structure:
    """D6h to the last digit."""
    distance = molecule("C6H6").get_all_distances()
    angle = np.arange(6) * np.pi / 3.0
    ring = np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=1)
    r = distance[0, 1]
    positions = np.concatenate([r * ring, (r + distance[0, 6:].min()) * ring])
    return Structure([6] * 6 + [1] * 6, positions / BOHR_ANGSTROM)


def methane() -> Structure:
    """Td to the last digit."""
    length = molecule("CH4").get_distance(0, 1)
    corners = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]) / np.sqrt(3.0)
    positions = np.concatenate([np.zeros((1, 3)), length * corners])
    return Structure([6, 1, 1, 1, 1], positions / BOHR_ANGSTROM)


def buckminsterfullerene() -> Structure:
    """Ih to the last digit: an icosahedron with its corners cut off.

    Cutting each edge (length L) at the distance a from both ends leaves pentagon bonds of length
    a and bonds between hexagons of length L - 2 a.
    """
    bonds = np.sort(squareform(pdist(molecule("C60").positions)), axis=1)[:, 1:4]
    short, long = bonds[:, 0].mean(), bonds[:, 1:].mean()
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    first = np.array([[0.0, s, t * golden] for s in (1, -1) for t in (1, -1)])
    corners = np.concatenate([np.roll(first, shift, axis=1) for shift in range(3)])
    edges = [(i, j) for i, j in combinations(range(12), 2) if _length(corners, i, j) < 2.1]
    scale = (short + 2.0 * long) / 2.0
    cut = long / (short + 2.0 * long)
    points = [
        corners[i] + cut * (corners[j] - corners[i]) for a, b in edges for i, j in ((a, b), (b, a))
    ]
    return Structure([6] * 60, scale * np.array(points) / BOHR_ANGSTROM)


def _length(points: np.ndarray, i: int, j: int) -> float:
    return float(np.linalg.norm(points[i] - points[j]))


def multiplets(energies: np.ndarray) -> tuple[dict[int, int], float]:
    """Number of multiplets of each size, and the largest splitting inside one, hartree."""
    groups = np.split(energies, np.flatnonzero(np.diff(energies) > TOLERANCE) + 1)
    sizes = Counter(group.size for group in groups)
    return dict(sorted(sizes.items())), float(max(np.ptp(group) for group in groups))


def degeneracies(parameters: Parameters) -> dict[str, tuple[dict[int, int], float]]:
    """Multiplets and largest splitting, hartree, of the three molecules of ``EXPECTED``."""
    cases = {"benzene": benzene(), "methane": methane(), "C60": buckminsterfullerene()}
    return {
        name: multiplets(singlepoint(structure, parameters=parameters).state.energies)
        for name, structure in cases.items()
    }


def invariance(structure: Structure, parameters: Parameters) -> dict[str, float]:
    """Largest change of energies, charges (a.u.) and back-rotated dipole under each operation."""
    rng = np.random.default_rng(SEED)
    base = singlepoint(structure, parameters=parameters)
    turns = ortho_group.rvs(3, size=N_ROTATION, random_state=rng)
    turns *= np.sign(np.linalg.det(turns))[:, None, None]
    same = np.arange(structure.n_atom)
    cases = {
        "rotation": [(turn, np.zeros(3), same) for turn in turns],
        "inversion": [(-np.eye(3), np.zeros(3), same)],
        "translation": [(np.eye(3), rng.normal(size=3) * 10.0, same)],
        "permutation": [(np.eye(3), np.zeros(3), rng.permutation(same)) for _ in range(5)],
    }
    out = {}
    for name, operations in cases.items():
        change = 0.0
        for turn, shift, order in operations:
            moved = Structure(
                structure.numbers[order],
                (structure.positions @ turn.T + shift)[order],
                structure.charge,
            )
            result = singlepoint(moved, parameters=parameters)
            change = max(
                change,
                np.abs(result.state.energies - base.state.energies).max(),
                np.abs(result.charges - base.charges[order]).max(),
                np.abs(result.dipole - turn @ base.dipole).max(),
                abs(result.energy - base.energy),
            )
        out[name] = float(change)
    return out


def main() -> None:
    """Compute, write symmetry.md and symmetry.json; fail if a multiplet is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    parameters = Parameters.load(parser.parse_args().parameters)
    rows, data, wrong = [], {}, []
    for name, (found, splitting) in degeneracies(parameters).items():
        data[name] = {"multiplets": found, "largest_splitting_hartree": splitting}
        rows.append([name, _sizes(EXPECTED[name]), _sizes(found), f"{splitting:.1e}"])
        if found != EXPECTED[name]:
            wrong.append(name)
    changes = invariance(read_structures(EXAMPLE)[0], parameters)
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        report.table(["molecule", "expected", "found", "largest splitting / hartree"], rows),
        f"Largest change of any orbital energy, charge, back-rotated dipole component or the total "
        f"energy of caffeine ({N_ROTATION} random rotations), atomic units:",
        report.table(["operation", "change"], [[k, f"{v:.1e}"] for k, v in changes.items()]),
    ]
    report.write(
        "symmetry",
        "Symmetry",
        sections,
        {"parameters": parameters.name, "degeneracies": data, "invariance": changes},
    )
    if wrong:
        raise SystemExit(f"wrong multiplets: {', '.join(wrong)}")


def _sizes(counts: dict[int, int]) -> str:
    return ", ".join(f"{number} x {size}" for size, number in counts.items())


if __name__ == "__main__":
    main()
