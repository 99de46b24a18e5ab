"""Speed of 20 singlets beside Sparrow (CIS-NDDO, TD-DFTB) and LAPACK, one process, one thread.

    pip install scine-sparrow
    python validation/speed_excited.py --parameters organic-1 [--largest 12]

Everything from the coordinates to the 20 lowest singlets with intensities, on new objects: mlsemi's
single point; Sparrow's reference calculation (PM6 or DFTB3) and excited states. Medians of
interleaved runs after one of each; CIS-NDDO and TD-DFTB with Sparrow's own defaults. Below,
hexagonal flakes of graphene C(6n^2)H(6n): the single point with 20 singlets, without, with selected
configurations (those left out lower no state by more than 0.2 eV, to second order, which is added),
and `scipy.linalg.eigh` of the same Hamiltonian.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time
from collections.abc import Callable

import numpy as np
import report
import scipy.linalg
from ase import Atoms
from panels import Panel, figure_of
from rich.progress import track
from speed import hamiltonian_of, medians, structures
from threadpoolctl import threadpool_limits

from mlsemi import singlepoint
from mlsemi.draw.plots import save
from mlsemi.excited.method import Method
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.units import HARTREE_EV

N_STATE = 20
LEAST_RUNS = 3
SPARROW = {"CIS-NDDO": "PM6", "TD-DFTB": "DFTB3"}
FLAKES = (2, 3, 4, 5, 6, 8, 10, 12)
BOND, BOND_H = 1.42, 1.09
SELECTED = Method(selection=0.2 / HARTREE_EV)


def sparrow(structure: Structure, method: str) -> np.ndarray:
    """Singlet energies from scratch, hartree."""
    import scine_sparrow  # noqa: F401  registers its calculators; only this column needs it
    import scine_utilities as scine

    manager = scine.core.ModuleManager.get_instance()
    reference = manager.get("calculator", SPARROW[method])
    elements = [getattr(scine.ElementType, symbol) for symbol in structure.symbols]
    reference.structure = scine.AtomCollection(elements, structure.positions)
    calculator = manager.get("calculator_with_reference", method)
    calculator.reference_calculator = reference
    reference.log = calculator.log = scine.core.Log.silent()
    calculator.settings["number_eigenstates"] = N_STATE
    calculator.settings["spin_block"] = "singlet"
    calculator.reference_calculation()
    calculator.calculate()
    states = calculator.get_results().excited_states.singlet.eigenstates
    return np.asarray(states.eigenvalues)


def flake(n: int) -> Structure:
    """Hexagonal flake of graphene with n rings along an edge, C(6n^2)H(6n)."""
    ring = [np.array([np.cos(t), np.sin(t)]) for t in np.pi / 6 + np.pi / 3 * np.arange(6)]
    a, b = np.sqrt(3) * np.array([1.0, 0.0]), np.sqrt(3) * np.array([0.5, np.sqrt(0.75)])
    steps = range(1 - n, n)
    centers = [i * a + j * b for i in steps for j in steps if abs(i + j) < n]
    carbon = BOND * np.unique([np.round(c + v, 6) for c in centers for v in ring], axis=0)
    apart = np.linalg.norm(carbon[:, None] - carbon, axis=2)
    bonded = (apart > 0.1) & (apart < 1.1 * BOND)
    edge = np.flatnonzero(bonded.sum(axis=1) == 2)
    away = np.array([2.0 * carbon[i] - carbon[bonded[i]].sum(axis=0) for i in edge])
    hydrogen = carbon[edge] + BOND_H * away / np.linalg.norm(away, axis=1)[:, None]
    flat = np.pad(np.concatenate([carbon, hydrogen]), ((0, 0), (0, 1)))
    return Structure.from_ase(Atoms(f"C{len(carbon)}H{len(hydrogen)}", flat))


def beside_sparrow(structure: Structure, parameters: Parameters) -> dict[str, float]:
    """Median times of one molecule, s."""
    tasks: dict[str, Callable[[], object]] = {
        "mlsemi": lambda: singlepoint(structure, parameters=parameters, singlets=N_STATE)
    } | {method: lambda m=method: sparrow(structure, m) for method in SPARROW}
    seconds, rounds = medians(tasks, LEAST_RUNS)
    return seconds | {"rounds": rounds}


def beside_eigensolver(structure: Structure, parameters: Parameters) -> dict[str, float]:
    """Median times of one flake, s."""
    hamiltonian = hamiltonian_of(singlepoint(structure, parameters=parameters).state)

    def point(**options: object) -> object:
        return singlepoint(structure, parameters=parameters, **options)  # type: ignore[arg-type]

    tasks: dict[str, Callable[[], object]] = {
        "eigh": lambda: scipy.linalg.eigh(hamiltonian, check_finite=False, driver="evd"),
        "ground state": point,
        "singlets": lambda: point(singlets=N_STATE),
        "selected": lambda: point(singlets=N_STATE, method=SELECTED),
    }
    repeated = structure.n_atom < 400
    seconds = medians(tasks, LEAST_RUNS)[0] if repeated else once(tasks)
    return seconds | {"atoms": structure.n_atom, "orbitals": structure.n_orbital}


def once(tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Wall time of one run of each task, s."""
    out = {}
    for name, task in tasks.items():
        begin = time.perf_counter()
        task()
        out[name] = time.perf_counter() - begin
    return out


def main() -> None:
    """Measure, write speed_excited.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    parser.add_argument("--largest", type=int, default=FLAKES[-1], help="rings along an edge")
    options = parser.parse_args()
    parameters = Parameters.load(options.parameters)
    with threadpool_limits(1):
        molecules = {
            name: beside_sparrow(structure, parameters)
            for name, structure in track(structures().items(), "molecules", transient=True)
        }
        sizes = [n for n in FLAKES if n <= options.largest]
        flakes = {
            n: beside_eigensolver(flake(n), parameters)
            for n in track(sizes, "flakes", transient=True)
        }
    head = ["molecule", "mlsemi / ms", *(f"{m} / ms" for m in SPARROW)]
    head += [f"{m} : mlsemi" for m in SPARROW]
    rows = [
        [name, *(f"{1e3 * r[k]:.1f}" for k in ("mlsemi", *SPARROW))]
        + [f"{r[m] / r['mlsemi']:.1f}" for m in SPARROW]
        for name, r in molecules.items()
    ]
    kinds = ("ground state", "singlets", "selected")
    flake_head = ["flake", "atoms", "orbitals", "eigh / s", *(f"{k} / s" for k in kinds)]
    flake_rows = [
        [f"C{6 * n * n}H{6 * n}", r["atoms"], r["orbitals"], f"{r['eigh']:.3f}"]
        + [f"{r[k]:.3f}" for k in kinds]
        + [f"{r[k] / r['eigh']:.1f}" for k in kinds[1:]]
        for n, r in flakes.items()
    ]
    atoms = [r["atoms"] for r in flakes.values()]
    curves = {k: (atoms, [r[k] for r in flakes.values()], "o-") for k in ("eigh", *kinds)}
    save(figure_of([Panel("atoms", "time / s", curves, "xy")]), report.HERE / "speed_excited.png")
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        report.table(head, rows),
        report.table([*flake_head, "singlets : eigh", "selected : eigh"], flake_rows),
        "![scaling](speed_excited.png)",
    ]
    used = {"name": parameters.name, "checksum": parameters.checksum}
    data = {"parameters": used, "molecules": molecules, "flakes": flakes}
    report.write("speed_excited", "Speed of excited states", sections, data)


if __name__ == "__main__":
    main()
