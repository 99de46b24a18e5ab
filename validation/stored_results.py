"""Results of a few molecules to the last bit, kept in stored_results.json.

Where processor and libraries are those that wrote the file, each bit must be the same; elsewhere
sums are done in another order, and results of the ground state agree to 1e-12 (energies relative to
their size). Singlets come from an iteration, and agree to what it converges to.
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import version

import llvmlite.binding
import numpy as np
import report
import scipy.linalg
from ase.build import molecule

from mlsemi import singlepoint
from mlsemi.molecule.formats import read_structures
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters

PATH = report.HERE / "stored_results.json"
EXAMPLES = ("formaldehyde", "benzene", "R-methyloxirane", "caffeine", "p-nitroaniline")
BUILT = ("CH3SH", "CH3Cl", "C2F4", "CH3CONH2")
N_SINGLET = 5
N_MATRIX = 66
LIBRARIES = ("numpy", "scipy", "numba", "llvmlite")
GROUND = ("levels", "charges", "dipole", "energy", "forces")
Results = dict[str, dict[str, list[float]]]
"""Molecule, quantity: atomic units, flat."""


def machine() -> dict[str, str]:
    """What decides the last bit: instructions, libraries, and how BLAS and LAPACK add up here."""
    features = llvmlite.binding.get_host_cpu_features().flatten()
    matrix = np.random.default_rng(0).normal(size=(N_MATRIX, N_MATRIX))
    products = [matrix @ matrix, *scipy.linalg.eigh(matrix + matrix.T), np.exp(matrix)]
    return {
        "processor": llvmlite.binding.get_host_cpu_name(),
        "instructions": _digest(features.encode()),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "algebra": _digest(b"".join(np.ascontiguousarray(x).tobytes() for x in products)),
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def structures() -> dict[str, Structure]:
    """The molecules."""
    folder = report.HERE.parent / "docs" / "examples"
    read = {name: read_structures(folder / f"{name}.xyz")[0] for name in EXAMPLES}
    return read | {name: Structure.from_ase(molecule(name)) for name in BUILT}


def compute(parameters: Parameters) -> Results:
    """Results as they come out here."""
    out = {}
    for name, structure in structures().items():
        result = singlepoint(structure, parameters=parameters, forces=True, singlets=N_SINGLET)
        values = {
            "levels": result.state.energies,
            "charges": result.charges,
            "dipole": result.dipole,
            "energy": np.array([result.energy]),
            "forces": result.forces,
            "singlets": result.singlets.energies,
        }
        out[name] = {key: np.ravel(value).tolist() for key, value in values.items()}
    return out


def change(new: Results, old: Results, quantities: tuple[str, ...]) -> float:
    """Largest change, atomic units; of what is larger than one, relative."""
    assert set(new) == set(old)
    return max(
        float(np.max(np.abs(np.subtract(x, y)) / np.maximum(1.0, np.abs(y))))
        for name in new
        for x, y in ((new[name][key], old[name][key]) for key in quantities)
    )


def stored(name: str) -> dict[str, dict] | None:
    """What was written for a set: ``machine`` and ``results``; None if nothing was."""
    return json.loads(PATH.read_text()).get(name) if PATH.exists() else None


def write(name: str, results: Results) -> None:
    """Keep results, beside those of other sets."""
    entries = json.loads(PATH.read_text()) if PATH.exists() else {}
    entries[name] = {"machine": machine(), "results": results}
    text = json.dumps(entries, indent=1)
    PATH.write_text(re.sub(r"\[[^]]*\]", lambda match: " ".join(match[0].split()), text) + "\n")
