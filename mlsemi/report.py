"""One result as compact tables for people and as one line of JSON for programs.

Both start from the record of ``Result.to_dict()``, so that they cannot disagree.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rich.columns import Columns
from rich.console import Console
from rich.table import Table

from mlsemi.units import AU_DEBYE, BOHR_ANGSTROM

Record = Mapping[str, Any]

LEVELS_SHOWN = 4
"""Orbitals shown on either side of the gap."""
BOND_SHOWN = 0.3
"""Smallest bond order shown."""
CONTRIBUTION_SHOWN = 0.1
"""Smallest weight of an orbital pair shown for an excitation."""


def json_line(record: Record) -> str:
    """One line of strict JSON; numbers that are not finite become null."""
    return json.dumps(_plain(record), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_result(console: Console, record: Record, title: str) -> None:
    """Print everything a record holds.

    Parameters
    ----------
    console : rich.console.Console
    record : mapping
        ``Result.to_dict()``.
    title : str
        Where the structure came from.
    """
    _heading(console, record, title)
    for spin, levels, electrons in _spins(record):
        console.print(_levels(levels, f"Orbitals{spin}", electrons))
    console.print(_summary(record), highlight=False)
    if "charges_e" in record:
        console.print(_atoms(record))
    if record.get("bond_orders"):
        console.print("\nBond orders", style="bold")
        console.print(_bonds(record))
    if "forces_ev_per_angstrom" in record:
        console.print(_forces(record))
    print_excitations(console, record)


def print_states(console: Console, record: Record, title: str) -> None:
    """Print the heading and the excited states of a record.

    Parameters
    ----------
    console : rich.console.Console
    record : mapping
        ``Result.to_dict()``.
    title : str
        Where the structure came from.
    """
    _heading(console, record, title)
    print_excitations(console, record)


def print_excitations(console: Console, record: Record) -> None:
    """Print one table per multiplicity.

    Parameters
    ----------
    console : rich.console.Console
    record : mapping
        ``Result.to_dict()``.
    """
    for name, states in record.get("excitations", {}).items():
        if states:
            console.print(_states(name, states, int(record["n_occupied"])))
        else:
            console.print(f"No {name} in the range asked for", style="yellow")


def formula(symbols: Iterable[str]) -> str:
    """Hill formula: C, H, then alphabetical; alphabetical throughout without carbon."""
    count = Counter(symbols)
    first = ["C", "H"] if "C" in count else []
    order = [s for s in first if s in count] + sorted(set(count) - set(first))
    return "".join(f"{s}{count[s] if count[s] > 1 else ''}" for s in order)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=None, title_justify="left", title_style="bold", pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def _heading(console: Console, record: Record, title: str) -> None:
    structure, parameters = record["structure"], record["parameters"]
    symbols = structure["symbols"]
    console.print(title, style="bold", markup=False, highlight=False)
    console.print(
        f"{formula(symbols)}, {len(symbols)} atoms, charge {structure['charge']}"
        f"{_conditions(record)}; "
        f"parameters {parameters['name']} ({parameters['checksum'][:8]})\n",
        markup=False,
        highlight=False,
    )


def _conditions(record: Record) -> str:
    """Spin and surroundings where they are not those of a closed shell in empty space."""
    words = ""
    if record["structure"].get("multiplicity", 1) > 1:
        words += f", multiplicity {record['structure']['multiplicity']}"
    if "solvent" in record:
        words += f", in {record['solvent']['name']}"
    if "field_v_per_angstrom" in record:
        x, y, z = record["field_v_per_angstrom"]
        words += f", field ({x:g}, {y:g}, {z:g}) V/angstrom"
    return words


def _spins(record: Record) -> list[tuple[str, Record, int]]:
    """Spin in words, its levels, and how many electrons fill one: both spins together, or each."""
    if "orbital_energies_beta_ev" not in record:
        return [("", record, 2)]
    beta = {
        "orbital_energies_ev": record["orbital_energies_beta_ev"],
        "n_occupied": record["n_occupied_beta"],
        "occupations": record.get("occupations_beta"),
    }
    return [(", alpha spin", record, 1), (", beta spin", beta, 1)]


def _electrostatics(record: Record) -> str:
    """Polarisability and what the solvent does to the energy, a line each."""
    lines = ""
    if "polarizability_bohr3" in record:
        alpha = np.array(record["polarizability_bohr3"])
        main = ", ".join(f"{value:.2f}" for value in np.linalg.eigvalsh(alpha))
        lines += f"polarisability {np.trace(alpha) / 3.0:.2f} bohr^3 (principal {main})\n"
    if "solvent" in record:
        polar, nonpolar = (record["solvent"][name] for name in ("polar_ev", "nonpolar_ev"))
        lines += f"solvent: polar {polar:.4f} eV, nonpolar {nonpolar:.4f} eV\n"
    return lines


def orbital_name(index: int, n_occupied: int) -> str:
    """``HOMO-1``, ``HOMO``, ``LUMO``, ``LUMO+1``, ..."""
    offset = index - n_occupied
    if offset < 0:
        return "HOMO" if offset == -1 else f"HOMO{offset + 1}"
    return "LUMO" if offset == 0 else f"LUMO+{offset}"


def _levels(record: Record, title: str, electrons: int) -> Table:
    energies, n_occupied = record["orbital_energies_ev"], int(record["n_occupied"])
    smeared = record.get("occupations")
    spread = _spread(record, "orbital_energies_ev")
    table = _table(
        title, "level", "index", "energy / eV", *(["± / eV"] if spread else []), "occupation"
    )
    top = min(len(energies), n_occupied + LEVELS_SHOWN)
    for p in range(top - 1, max(0, n_occupied - LEVELS_SHOWN) - 1, -1):
        filled = str(electrons) if p < n_occupied else "0"
        occupation = f"{smeared[p]:.3f}" if smeared else filled
        error = [f"{spread[p]:.2f}"] if spread else []
        table.add_row(orbital_name(p, n_occupied), str(p), f"{energies[p]:.3f}", *error, occupation)
    return table


def _spread(record: Record, key: str) -> Any:
    """Uncertainty of one quantity of a record; None without one."""
    return record.get("uncertainty", {}).get(key)


def _plus_minus(value: float | None, digits: int) -> str:
    """`` ± 0.12``, or nothing."""
    known = value is not None and math.isfinite(value)
    return f" ± {value:.{digits}f}" if known else ""


def _summary(record: Record) -> str:
    parts = []
    gap = record.get("gap_ev")
    if gap is not None and math.isfinite(gap):
        parts.append(f"gap {gap:.3f}{_plus_minus(_spread(record, 'gap_ev'), 2)} eV")
    if "dipole_e_angstrom" in record:
        x, y, z = np.array(record["dipole_e_angstrom"]) * AU_DEBYE / BOHR_ANGSTROM
        spread = _spread(record, "dipole_e_angstrom")
        error = _plus_minus(spread and spread * AU_DEBYE / BOHR_ANGSTROM, 2)
        parts.append(f"dipole {math.hypot(x, y, z):.3f}{error} D ({x:.3f}, {y:.3f}, {z:.3f})")
    name, energy = "free energy" if "occupations" in record else "energy", record.get("energy_ev")
    parts.append(f"{name} -" if energy is None else f"{name} {energy:.5f} eV")
    if "dispersion_ev" in record:
        parts.append(f"of it dispersion {record['dispersion_ev']:.5f} eV")
    return "\n" + "; ".join(parts) + "\n" + _electrostatics(record)


def _atoms(record: Record) -> Columns:
    """Charge and total bond order of each atom, in as many columns as fit."""
    symbols = record["structure"]["symbols"]
    valences = np.zeros(len(symbols))
    for i, j, order in record.get("bond_orders", []):
        valences[[i, j]] += order
    n_column = 1 if len(symbols) < 9 else 3
    rows = -(-len(symbols) // n_column)
    spread, spin = _spread(record, "charges_e"), record.get("spin_populations")
    tables = []
    for start in range(0, len(symbols), rows):
        numbers = [*(["±"] if spread else []), *(["spin"] if spin else [])]
        columns = ("atom", "charge / e", *numbers, "bonds")
        table = _table("Atoms" if start == 0 else " ", *columns)
        for i in range(start, min(start + rows, len(symbols))):
            error = [f"{spread[i]:.3f}"] if spread else []
            charge = f"{record['charges_e'][i]:+.3f}"
            unpaired = [f"{spin[i]:+.3f}"] if spin else []
            table.add_row(f"{i} {symbols[i]}", charge, *error, *unpaired, f"{valences[i]:.2f}")
        tables.append(table)
    return Columns(tables, padding=(0, 4))


def _bonds(record: Record) -> Columns:
    symbols = record["structure"]["symbols"]
    width = len(str(len(symbols) - 1))
    return Columns(
        [
            f"{symbols[i]}{i}-{symbols[j]}{j}".ljust(2 * width + 5) + f" {order:.2f}"
            for i, j, order in record["bond_orders"]
            if order >= BOND_SHOWN
        ],
        padding=(0, 3),
    )


def _forces(record: Record) -> Table:
    table = _table("Forces / (eV/angstrom)", "atom", "x", "y", "z")
    rows = zip(record["structure"]["symbols"], record["forces_ev_per_angstrom"], strict=True)
    for i, (name, force) in enumerate(rows):
        table.add_row(f"{i} {name}", *(f"{component:.4f}" for component in force))
    return table


def _states(name: str, states: Sequence[Record], n_occupied: int) -> Table:
    singlet = name == "singlets"
    numbers = ("f", "R / 1e-40 cgs") if singlet else ()
    columns = ("state", "E / eV", "nm", *numbers, "character", "main contributions")
    table = _table(f"\n{name.capitalize()}", *columns)
    for column in table.columns[-2:]:
        column.justify = "left"
    for index, state in enumerate(states, start=1):
        energy = f"{state['energy_ev']:.3f}{_plus_minus(state.get('uncertainty_ev'), 2)}"
        row = [f"{'S' if singlet else 'T'}{index}", energy]
        wavelength = state["wavelength_nm"]
        row.append("" if wavelength is None else f"{wavelength:.1f}")
        if singlet:
            # adding zero turns a rounded -0 into 0
            row.append(f"{round(state['oscillator_strength'], 4) + 0.0:.4f}")
            row.append(f"{round(state['rotatory_strength_1e40_cgs'], 2) + 0.0:.2f}")
        row.append(_character(state))
        pairs = sorted(state.get("contributions", []), key=lambda c: -c["weight"])
        shown = [c for c in pairs if c["weight"] >= CONTRIBUTION_SHOWN][:3] or pairs[:1]
        row.append(
            ", ".join(
                f"{orbital_name(c['from'], n_occupied)} -> {orbital_name(c['to'], n_occupied)}"
                f" {100 * c['weight']:.0f}%"
                for c in shown
            )
        )
        table.add_row(*row)
    for column in table.columns[:-1]:  # only contributions may be cut
        column.min_width = max(len(str(cell)) for cell in (column.header, *column.cells))
    return table


def _character(state: Record) -> str:
    """``pi-pi*``, with the charge-transfer number where there are several fragments."""
    moved = state.get("charge_transfer_number")
    return state["character"] + ("" if moved is None else f" CT {moved:.2f}")
