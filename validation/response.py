"""Ions, radicals and triplets by the difference-density response, beside unrestricted B3LYP.

    python validation/response.py               errors on molecules that took no part in the fit
    python validation/response.py SET...        of these parameter sets (name or folder)
    python validation/response.py --fit         the constants of sets that have learned none anew

Levels of closed-shell ions (``ION_FILES``), vertical ionisation energies and singlet-triplet gaps
(``vertical.json``), all B3LYP/def2-TZVP. The training side fits four constants, the test side is
what the tables show. The parameter set has seen neither ions nor open shells.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import report
from scipy.optimize import minimize

from mlsemi.ground.state import GroundState, ground_state
from mlsemi.model.terms.prediction import Prediction
from mlsemi.model.terms.response import START, Start
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure, lowest_multiplicity
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import DEFAULT
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.units import HARTREE_EV

REFERENCE = report.HERE.parent / "parameters" / "reference"
ION_FILES = ("ions.h5", "ions-2.h5")
"""By name, so that a new shard does not move the figures of a set that is judged already."""
UNBOUND = 0.0
"""Anions whose highest level lies above have no bound electron in a finite basis."""


@cache
def predicted(chosen: Parameters, numbers: bytes, positions: bytes) -> tuple[PairList, Prediction]:
    """Hamiltonian of a geometry; it knows nothing of charge and spin."""
    atoms, x = np.frombuffer(numbers, dtype=np.int64), np.frombuffer(positions).reshape(-1, 3)
    structure = Structure(atoms, x, 0, lowest_multiplicity(atoms, 0))
    form = chosen.model.form
    pairs = PairList.of([structure], form.elements, form.cutoff)
    return pairs, chosen.model.predict(pairs)[0]


def ground_of(chosen: Parameters, structure: Structure, constants: Start = START) -> GroundState:
    """Ground state of a structure with its charge and multiplicity."""
    pairs, prediction = predicted(
        chosen, structure.numbers.tobytes(), structure.positions.tobytes()
    )
    changed = replace(pairs, structures=(structure,))
    operator = replace(prediction.hamiltonian, pairs=changed)
    new = replace(prediction, pairs=changed, hamiltonian=operator)
    return ground_state(chosen.model, new, 0, constants=constants)


def ions(chosen: Parameters, split: str) -> Iterator[Reference]:
    """Bound ions of the elements of the set, of more than one atom."""
    known = set(chosen.elements)
    for record in ReferenceDataset.load(*(REFERENCE / name for name in ION_FILES)).split(split):
        structure = record.structure
        bound = record.energies[record.n_occupied - 1] < UNBOUND
        if structure.charge and structure.n_atom > 1 and bound and set(structure.symbols) <= known:
            yield record


def ion_errors(chosen: Parameters, record: Reference, constants: Start = START) -> dict[str, float]:
    """Errors of levels (eV) and charges (e) of one ion."""
    ground = ground_of(chosen, record.structure, constants)
    n, levels = record.n_occupied, ground.state.energies
    out = {
        "occupied": HARTREE_EV * np.abs(levels[:n] - record.energies[:n]).mean(),
        "HOMO": HARTREE_EV * abs(levels[n - 1] - record.energies[n - 1]),
        "charges": np.abs(ground.charges - record.charges).mean(),
    }
    if chosen.ions_learned and record.structure.of_odd_parent:
        out["energy"] = HARTREE_EV * abs(ground.energy - record.energy)
    weight = float(np.sum(record.valence_amplitudes[:, n] ** 2))
    if record.structure.charge > 0 and weight > 0.7:
        out["LUMO"] = HARTREE_EV * abs(levels[n] - record.energies[n])
    return out


def vertical(chosen: Parameters, split: str) -> list[dict[str, object]]:
    """Entries of one side, of the elements of the set."""
    entries = json.loads((REFERENCE / "vertical.json").read_text()).values()
    known = set(chosen.model.form.elements)
    return [e for e in entries if e["split"] == split and set(e["numbers"]) <= known]


def vertical_errors(chosen: Parameters, entry: dict, constants: Start = START) -> dict[str, float]:
    """Signed errors of energy differences, and mean errors of levels (eV) and spin populations."""
    numbers, positions = np.array(entry["numbers"]), np.array(entry["positions_bohr"])
    energy = ground_of(chosen, Structure(numbers, positions), constants).energy
    out = {}
    for name, charge, multiplicity in (("cation", 1, 2), ("triplet", 0, 3)):
        ground = ground_of(chosen, Structure(numbers, positions, charge, multiplicity), constants)
        reference = entry[name]
        change = reference["energy"] - entry["neutral"]["energy"]
        out[name] = HARTREE_EV * (ground.energy - energy - change)
        assert ground.response is not None
        spins = []
        for spin, state in zip(("alpha", "beta"), ground.response.states, strict=True):
            n = len(reference[spin])
            spins.append(np.abs(state.energies[:n] - reference[spin]))
        out[f"{name} levels"] = HARTREE_EV * np.concatenate(spins).mean()
        out[f"{name} SOMO"] = HARTREE_EV * spins[0][-1]
        out[f"{name} spin"] = np.abs(
            ground.response.spin_populations - reference["spin_populations"]
        ).mean()
    return out


def fitted() -> tuple[Start, float]:
    """Constants that make the mean errors of training levels and energy differences smallest."""
    chosen = Parameters.load(DEFAULT)
    records, entries = list(ions(chosen, "train")), vertical(chosen, "train")

    def loss(x: np.ndarray) -> float:
        constants = Start(*x)
        found = [ion_errors(chosen, record, constants) for record in records]
        levels = np.mean([e["occupied"] + 0.5 * e["HOMO"] + 0.5 * e.get("LUMO", 0) for e in found])
        changes = [vertical_errors(chosen, entry, constants) for entry in entries]
        of_changes = [
            abs(c["cation"]) + abs(c["triplet"]) + 0.5 * (c["cation levels"] + c["triplet levels"])
            for c in changes
        ]
        return float(levels + np.mean(of_changes))

    start = np.array(START)
    result = minimize(
        loss, start, method="Nelder-Mead", options={"maxfev": 150, "xatol": 2e-3, "fatol": 5e-4}
    )
    return Start(*(round(float(x), 3) for x in result.x)), result.fun


def tables(chosen: Parameters) -> tuple[list[str], dict[str, object]]:
    """Sections of one set, and the errors behind them."""
    of_ions = [ion_errors(chosen, record) for record in ions(chosen, "test")]
    rows = [
        (name, len(values), f"{np.mean(values):.3f}", f"{np.median(values):.3f}",
         f"{np.max(values):.3f}")
        for name in ("occupied", "HOMO", "LUMO", "charges", "energy")
        if (values := [e[name] for e in of_ions if name in e])
    ]  # fmt: skip
    changes = [vertical_errors(chosen, entry) for entry in vertical(chosen, "test")]
    more = [
        (name, len(values), f"{np.mean(values):+.3f}", f"{np.abs(values).mean():.3f}",
         f"{np.abs(values).max():.3f}")
        for name in changes[0]
        if (values := np.array([c[name] for c in changes])).size
    ]  # fmt: skip
    learned = "learned ions" if chosen.ions_learned else f"constants {START}"
    sections = [
        f"## {chosen.name}\n\n{chosen.checksum[:8]}, {learned}. Closed-shell ions, eV and e "
        "(energy: total energy of those whose neutral form is a radical):\n\n"
        + report.table(("quantity", "ions", "mean error", "median", "largest"), rows),
        "Cations and triplets at the geometry of the molecule, eV and electrons:\n\n"
        + report.table(("quantity", "molecules", "mean", "mean absolute", "largest"), more),
    ]
    return sections, {"ions": of_ions, "vertical": changes}


def main() -> None:
    """Fit, or write validation/response.md."""
    if "--fit" in sys.argv:
        print(*fitted())
        return
    sections, data = [], {}
    for name in sys.argv[1:] or (DEFAULT,):
        chosen = Parameters.load(name)
        more, data[chosen.name] = tables(chosen)
        sections += more
    report.write("response", "Ions, radicals and triplets that no fit has seen", sections, data)


if __name__ == "__main__":
    main()
