"""What the judge measures: groups of rows, each a function of a parameter set.

Held-out molecules only: test molecules of the split, and lists that no training sees. In every row
smaller is better; times are multiples of a peer's in the same run. The records are those of the
default set's recipe, whichever set is measured.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import json
from collections.abc import Callable
from functools import cache

import accuracy
import apart
import dissociation
import excitations
import excitations_held_out
import force_accuracy
import forces
import frequencies
import numpy as np
import response
import speed
import speed_sizes
import stored_results
import symmetry
from ase.build import molecule
from dispersion import water
from gfn2 import gfn2
from held_out import FOLDER, test_records
from speed_excited import beside_eigensolver, flake

from mlsemi import MLSemi, singlepoint
from mlsemi.machine.memory import keep_freed_memory
from mlsemi.model.applicability import check_energy
from mlsemi.molecule.formats import read_structures
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import DEFAULT
from mlsemi.training.calibration.excitation_fit import FitOptions, compare, errors_of
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.data.geometries import inchikey
from mlsemi.training.objective.excitation_cases import cases_of
from mlsemi.units import HARTREE_EV

FEW, MANY = 5, 25
"""Geometries whose forces are compared with differences."""
CARBON_CAGE = "C60"
AMMONIA_PROTONATION_EV = 9.20
"""B3LYP/def2-TZVP (PySCF 2.14, `mlsemi.training.reference.calculation.Level()`), the geometries
used here."""
FLAKE = 4
PACE_SECONDS = 3.0


@cache
def records(patterns: tuple[str, ...], test_only: bool = True) -> list[Reference]:
    """Held-out records of reference files; every molecule of those that no training sees."""
    files = [file for p in patterns for file in sorted((FOLDER / "reference").glob(p))]
    loaded = ReferenceDataset.load(*files)
    return list(loaded.split("test") if test_only else loaded)


def is_cage(record: Reference) -> bool:
    """Carbon alone: far from any training molecule, judged on its own."""
    return set(record.structure.symbols) == {"C"}


def level_sets() -> dict[str, list[Reference]]:
    """Molecules whose levels, charges and dipoles are compared, as in the README."""
    larger = records(("larger*.h5",), test_only=False)
    return {
        "test molecules": records(("organic.h5", "organic-forces.h5")),
        "small odd molecules": records(("small*.h5",)),
        "F, S, Cl": records(("heteroatoms.h5",)),
        "larger molecules": [r for r in larger if not is_cage(r)],
        CARBON_CAGE: [r for r in larger if is_cage(r)],
    }


def levels(parameters: Parameters) -> dict[str, float]:
    """Orbital energies, charges and dipoles."""
    out = {}
    for name, some in level_sets().items():
        row = accuracy.errors(
            "",
            [accuracy.of_model(r, parameters) for r in some],
            [accuracy.of_reference(r) for r in some],
            [r.molecule for r in some],
        )
        for quantity, unit in zip(accuracy.QUANTITIES, accuracy.UNITS, strict=True):
            if name != CARBON_CAGE or unit == "eV":  # symmetry alone makes the others zero
                out[f"{quantity} / {unit}, {name}"] = row.mae[quantity]
    return out


def energies_and_forces(parameters: Parameters) -> dict[str, float]:
    """Total energies, relative energies of thermal frames, forces."""
    every = [r for r in test_records(DEFAULT) if r.forces is not None]
    answers = [force_accuracy.of_model(r, parameters) for r in every]
    stretched = np.array([force_accuracy.is_stretched(r) for r in every])

    def chosen(mask: np.ndarray) -> tuple[list, list]:
        where = np.flatnonzero(mask)
        return [every[k] for k in where], [answers[k] for k in where]

    total = [abs(a[0] - r.energy) for r, a in zip(*chosen(~stretched), strict=True)]
    reference, predicted = force_accuracy.relative_energies(*chosen(~stretched))
    return {
        "total energy / eV": float(np.mean(total)) * HARTREE_EV,
        "energies of thermal frames / (kcal/mol)": float(np.abs(predicted - reference).mean()),
        "forces / (eV/angstrom)": force_accuracy.force_error(*chosen(~stretched)),
        "forces, one bond stretched / (eV/angstrom)": force_accuracy.force_error(
            *chosen(stretched)
        ),
    }


def bonds_pulled_apart(parameters: Parameters) -> dict[str, float]:
    """Curves of five molecules beside unrestricted B3LYP."""
    falls, ends = [], []
    for name, entry in json.loads(dissociation.PATH.read_text())["molecules"].items():
        factors = np.array(entry["factors"])
        start = int(np.argmin(np.abs(factors - 1.0)))
        ours = dissociation.of_model(name, factors, parameters)
        theirs = np.array(entry["unrestricted_hartree"])
        falls.append(dissociation.largest_fall(factors, ours) * HARTREE_EV)
        ends.append(abs(ours[-1] - ours[start] - theirs[-1] + theirs[start]) * HARTREE_EV)
    return {
        "largest fall of a curve pulled apart / eV": max(falls),
        "energy at 2.5 lengths / eV": float(np.mean(ends)),
    }


def excited_states(parameters: Parameters) -> dict[str, float]:
    """Singlets against TDA-ris, singlets and triplets against full Tamm-Dancoff calculations."""
    out = {}
    for name, some in excitations_held_out.held_out_sets().items():
        found = excitations_held_out.compare_all(some, name, parameters)
        for quantity, (_, _, error) in excitations_held_out.summary(found).items():
            out[f"{quantity}, {name}"] = error
    full = records(("excitations*.h5",))
    cases = cases_of(parameters, full, FitOptions().triplet_shift)
    errors = errors_of([compare(case, parameters.excitation) for case in cases])
    names = {
        "s1": "lowest singlet",
        "singlets": "singlets",
        "t1": "lowest triplet",
        "triplets": "triplets",
    }
    return out | {
        f"{name} / eV, full calculations": errors[f"{key}_mae_ev"] for key, name in names.items()
    }


def domain(parameters: Parameters) -> dict[str, float]:
    """How often ordinary molecules are called strange."""
    some = test_records(DEFAULT)
    outside = [
        any("outside" in text for text in singlepoint(r.structure, parameters=parameters).warnings)
        for r in some
    ]
    return {"held-out structures called outside / %": 100.0 * float(np.mean(outside))}


def invariance(parameters: Parameters) -> dict[str, float]:
    """Degeneracies, and what may not change when a molecule is moved."""
    found = symmetry.degeneracies(parameters)
    changes = symmetry.invariance(read_structures(symmetry.EXAMPLE)[0], parameters)
    wrong = [name for name, (sizes, _) in found.items() if sizes != symmetry.EXPECTED[name]]
    return {
        "molecules with wrong multiplets": len(wrong),
        "largest splitting / hartree": max(splitting for _, splitting in found.values()),
    } | {f"{name} / a.u.": change for name, change in changes.items()}


def derivatives(parameters: Parameters, number: int) -> dict[str, float]:
    """Largest difference between a force and the slope of the energy."""
    return {
        f"{surface} / (hartree/bohr)": max(error for _, error, _ in entries)
        for surface, entries in forces.compare(parameters, number).items()
    }


def repeated(parameters: Parameters) -> dict[str, float]:
    """Two runs in one process."""
    one, two = (stored_results.compute(parameters) for _ in range(2))
    return {"molecules with other bits in a second run": sum(one[k] != two[k] for k in one)}


def stored(parameters: Parameters) -> dict[str, float]:
    """Results beside those that were kept when the set was released."""
    kept = stored_results.stored(parameters.name)
    assert kept is not None
    new, old = stored_results.compute(parameters), kept["results"]
    here = kept["machine"] == stored_results.machine()
    other = [m for m in new if any(new[m][k] != old[m][k] for k in stored_results.GROUND)]
    return {
        "ground states, largest change / a.u.": stored_results.change(
            new, old, stored_results.GROUND
        ),
        "singlets, largest change / a.u.": stored_results.change(new, old, ("singlets",)),
        "molecules with other bits on the same machine": len(other) if here else 0,
    }


def molecules_side_by_side(parameters: Parameters) -> dict[str, float]:
    """Far apart, stacked, in contact."""
    level, energy = apart.far_levels(parameters)
    error, silent = apart.contacts(parameters)
    return {
        "levels of ethene, nitromethane at 100 angstrom / eV": level,
        "energy of the same / eV": energy,
        "benzene, water at 1e5 angstrom / eV": apart.far_energy(parameters, dispersion=True),
        "the same without dispersion / eV": apart.far_energy(parameters, dispersion=False),
        "20 singlets of stacked benzenes against all / eV": apart.stacked_singlets(parameters),
        "interaction energies of S22 / (kcal/mol)": error,
        "dimers of S22 without a warning": silent,
    }


def ions(parameters: Parameters) -> dict[str, float]:
    """Levels and charges of closed-shell ions; electrons taken away."""
    found = [
        response.ion_errors(parameters, record) for record in response.ions(parameters, "test")
    ]
    taken = [
        response.vertical_errors(parameters, entry)["cation"]
        for entry in response.vertical(parameters, "test")
    ]
    units = {"occupied": "eV", "HOMO": "eV", "LUMO": "eV", "charges": "e"}
    return {
        f"{name} of ions / {unit}": float(np.mean([e[name] for e in found if name in e]))
        for name, unit in units.items()
    } | {"vertical ionisation / eV": float(np.mean(np.abs(taken)))}


def protons(parameters: Parameters) -> dict[str, float]:
    """Ammonia takes a proton."""
    ammonium = read_structures(speed.EXAMPLES / "ammonium.xyz")[0]
    ammonia = Structure.from_ase(molecule("NH3"))
    neutral, charged = (
        singlepoint(s, parameters=parameters, dispersion=False) for s in (ammonia, ammonium)
    )
    check_energy(ammonium, "the energy", parameters.ions_learned)
    gain = (neutral.energy - charged.energy) * HARTREE_EV
    return {"E(NH3) - E(NH4+) / eV": abs(gain - AMMONIA_PROTONATION_EV)}


def pace(parameters: Parameters) -> dict[str, float]:
    """A rough look at the speed: C60 alone, a few runs, a wide limit."""
    structure = speed.structures()["C60"]
    seconds, _ = speed.medians(
        {
            "mlsemi": lambda: singlepoint(structure, parameters=parameters, forces=True),
            "tblite": lambda: gfn2(structure),
        },
        seconds=PACE_SECONDS,
    )
    return {"time of C60 with forces : tblite": seconds["mlsemi"] / seconds["tblite"]}


def minima(parameters: Parameters) -> dict[str, float]:
    """Bonds, angles and frequencies of ten molecules."""
    entries = json.loads(frequencies.MINIMA.read_text())["molecules"]
    found = {
        name: frequencies.compare(entry, MLSemi(parameters, dispersion=False))
        for name, entry in entries.items()
    }
    errors, bonds, angles = frequencies.errors_of(found, entries)
    return {
        "frequencies / (1/cm)": float(np.abs(errors).mean()),
        "bonds / angstrom": float(bonds.mean()),
        "angles / degrees": float(angles.mean()),
    }


def best_estimates(parameters: Parameters) -> dict[str, float]:
    """Lowest singlet and triplet of molecules outside the fit beside published estimates."""
    seen = excitations.fitted_skeletons(ReferenceDataset.load(*excitations.dataset_files()))
    errors = [
        np.subtract(excitations.predicted(excitations.geometry(smiles), parameters), best)
        for smiles, *best in excitations.BEST.values()
        if excitations.skeleton(inchikey(smiles)) not in seen
    ]
    lowest = np.abs(errors).mean(axis=0)
    return {"lowest singlet / eV": float(lowest[0]), "lowest triplet / eV": float(lowest[1])}


def times(parameters: Parameters) -> dict[str, float]:
    """Times beside tblite and beside the own eigensolver; smaller is faster."""
    keep_freed_memory()
    out = {}
    for name, structure in speed.structures().items():
        found = speed.measure(structure, parameters)
        out[f"{name} with forces : tblite"] = 1.0 / found["tblite_over_mlsemi_forces"]
        out[f"a step of dynamics of {name} : tblite"] = 1.0 / found["calculators"]
    found = beside_eigensolver(flake(FLAKE), parameters)
    for kind in ("singlets", "selected"):
        out[f"20 singlets of C96H24, {kind} : eigensolver"] = found[kind] / found["eigh"]
    found = speed_sizes.measure(water(333), parameters)
    out["333 waters with orbitals and forces : eigensolver"] = found["forces"] / found["eigh"]
    step = found["potential"] + found["dispersion"]
    out["D4 : a step of 333 waters"] = found["dispersion"] / step
    return out


Group = Callable[[Parameters], dict[str, float]]
FAST: dict[str, Group] = {
    "levels": levels,
    "energies": energies_and_forces,
    "bonds": bonds_pulled_apart,
    "excited": excited_states,
    "domain": domain,
    "symmetry": invariance,
    "derivatives": lambda parameters: derivatives(parameters, FEW),
    "repeated": repeated,
    "stored": stored,
    "apart": molecules_side_by_side,
    "ions": ions,
    "protons": protons,
    "pace": pace,
}
SLOW: dict[str, Group] = {
    "derivatives": lambda parameters: derivatives(parameters, MANY),
    "minima": minima,
    "best estimates": best_estimates,
    "speed": times,
}
