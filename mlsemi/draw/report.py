"""One result as compact tables for people and as one line of JSON for programs.

Both start from the record of ``Result.to_dict()``, so that they cannot disagree.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import typer

from mlsemi.molecule.elements import formula
from mlsemi.outputs import counted
from mlsemi.units import AU_DEBYE, BOHR_ANGSTROM

Record = Mapping[str, Any]

LEVELS_SHOWN = 4
"""Orbitals shown on either side of the gap."""
BOND_SHOWN = 0.3
"""Smallest bond order shown."""
CONTRIBUTION_SHOWN = 0.1
"""Smallest weight of an orbital pair shown for an excitation."""
ROTATORY_NOISE = 0.3
"""Rotatory strengths of a molecule are not shown if all are smaller (1e-40 cgs): achiral molecules
whose coordinates are rounded have up to 0.1, chiral ones 10 and more."""


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


def result_text(record: Record, title: str, width: int | None = None) -> str:
    """Everything a record holds, as tables.

    Parameters
    ----------
    record : mapping
        ``Result.to_dict()``.
    title : str
        Where the structure came from.
    width : int, optional
        Columns of the screen; without one nothing is cut.
    """
    lines = [*heading(record, title), ""]
    if "kpoints" in record:
        lines += [*edges(record), ""]
    else:
        for spin, levels, electrons in _spins(record):
            lines += [*_levels(levels, f"Orbitals{spin}", electrons), ""]
    lines += [_summary(record), ""]
    if "charges_e" in record:
        lines += _atoms(record)
    if record.get("bond_orders"):
        lines += ["", bold("Bond orders"), *_bonds(record)]
    if "forces_ev_per_angstrom" in record:
        lines += _forces(record)
    if "stress_ev_per_angstrom3" in record:
        lines += _stress(record)
    return "\n".join([*lines, *_excitations(record, width)])


def states_text(
    record: Record, title: str, width: int | None = None, rotatory: bool = False
) -> str:
    """The heading and the excited states of a record, as tables.

    Parameters
    ----------
    record : mapping
        ``Result.to_dict()``.
    title : str
        Where the structure came from.
    width : int, optional
        Columns of the screen; without one nothing is cut.
    rotatory : bool
        Rotatory strengths even if all are noise.
    """
    return "\n".join([*heading(record, title), *_excitations(record, width, rotatory)])


def _excitations(record: Record, width: int | None, rotatory: bool = False) -> list[str]:
    """One table per multiplicity."""
    lines = []
    for name, states in record.get("excitations", {}).items():
        if states:
            lines += _states(name, states, record, width, rotatory)
        else:
            lines.append(f"No {name} in the range asked for")
    return lines


def bold(text: str) -> str:
    """Text that stands out on a screen; the marks are dropped where there is none."""
    return typer.style(text, bold=True)


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: str
) -> list[str]:
    """Lines of a table whose columns named in ``left`` start, and all others end, in line."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        parts = (
            cell.ljust(width) if name in left.split() else cell.rjust(width)
            for cell, width, name in zip(cells, widths, columns, strict=True)
        )
        return "  ".join(parts).rstrip()

    return [bold(title), bold(line(columns)), *map(line, rows)]


def heading(record: Record, title: str) -> list[str]:
    """What was computed, with which parameters, in two lines."""
    structure, parameters = record["structure"], record["parameters"]
    symbols = structure["symbols"]
    name = record.get("name")
    return [
        bold(f"{title}: {name}" if name else title),
        f"{formula(symbols)}, {counted(len(symbols), 'atom')}, charge {structure['charge']}"
        f"{_conditions(record)}; parameters {parameters['name']} ({parameters['checksum'][:8]})",
    ]


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
    if "pbc" in record["structure"]:
        repeats = [
            name for name, flag in zip("abc", record["structure"]["pbc"], strict=True) if flag
        ]
        words += f", periodic along {' '.join(repeats)}"
    return words


def edges(record: Record) -> list[str]:
    """Fermi level, edges of bands and gaps of a periodic cell."""
    fermi = record["kpoints"]["fermi_ev"]
    mesh = "x".join(str(n) for n in record.get("mesh", record["kpoints"].get("mesh", ())))
    rows = [
        ["valence bands end", f"{record['homo_ev']:.3f}"],
        ["conduction bands begin", f"{record['lumo_ev']:.3f}"],
        ["Fermi level", f"{fermi:.3f}"],
        ["gap", f"{record['gap_ev']:.3f}"],
        ["direct gap", f"{record['direct_gap_ev']:.3f}"],
    ]
    return table(f"Bands (mesh {mesh})", ("", "energy / eV"), rows, "")


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


def _levels(record: Record, title: str, electrons: int) -> list[str]:
    energies, n_occupied = record["orbital_energies_ev"], int(record["n_occupied"])
    smeared = record.get("occupations")
    spread = _spread(record, "orbital_energies_ev")
    columns = ["level", "index", "energy / eV", *(["± / eV"] if spread else []), "occupation"]
    rows = []
    top = min(len(energies), n_occupied + LEVELS_SHOWN)
    for p in range(top - 1, max(0, n_occupied - LEVELS_SHOWN) - 1, -1):
        filled = str(electrons) if p < n_occupied else "0"
        occupation = f"{smeared[p]:.3f}" if smeared else filled
        error = [f"{spread[p]:.2f}"] if spread else []
        rows.append([orbital_name(p, n_occupied), str(p), f"{energies[p]:.3f}", *error, occupation])
    return table(title, columns, rows, "level")


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
    against = _spread(record, "against")
    parts = ["; ".join(parts), *_electrostatics(record).splitlines()]
    return "\n".join(parts) + (f"\n±: one standard deviation against {against}" if against else "")


def _atoms(record: Record) -> list[str]:
    """Charge and total bond order of each atom, in three columns if there are many."""
    symbols = record["structure"]["symbols"]
    valences = np.zeros(len(symbols))
    for i, j, order, *_ in record.get("bond_orders", []):
        valences[[i, j]] += order
    spread, spin = _spread(record, "charges_e"), record.get("spin_populations")
    columns = ["atom", "charge / e", *(["±"] if spread else []), *(["spin"] if spin else [])]
    columns.append("bonds")
    rows = [
        [
            f"{i} {symbol}",
            f"{record['charges_e'][i]:+.3f}",
            *([f"{spread[i]:.3f}"] if spread else []),
            *([f"{spin[i]:+.3f}"] if spin else []),
            f"{valences[i]:.2f}",
        ]
        for i, symbol in enumerate(symbols)
    ]
    n_column = 1 if len(symbols) < 9 else 3
    height = -(-len(symbols) // n_column)
    tables = [
        [line.ljust(len(block[1])) for line in block]
        for start in range(0, len(rows), height)
        for block in [table("", columns, rows[start : start + height], "atom")[1:]]
    ]
    lines = ["    ".join(parts).rstrip() for parts in zip_longest(*tables, fillvalue="")]
    return [bold("Atoms"), *lines]


def _bonds(record: Record) -> list[str]:
    symbols = record["structure"]["symbols"]
    shown = [
        (f"{symbols[i]}{i}-{symbols[j]}{j}{_image(*shift)}", order)
        for i, j, order, *shift in record["bond_orders"]
        if order >= BOND_SHOWN
    ]
    least = 2 * len(str(len(symbols) - 1)) + 5
    width = max([least, *(len(name) for name, _ in shown)])
    bonds = [f"{name.ljust(width)} {order:.2f}" for name, order in shown]
    per_line = max(1, 80 // (width + 8))
    return ["   ".join(bonds[k : k + per_line]) for k in range(0, len(bonds), per_line)]


def _image(shift: Sequence[int] = ()) -> str:
    """Translation of the second atom of a bond where it is an image."""
    return f" ({' '.join(map(str, shift))})" if any(shift) else ""


def _stress(record: Record) -> list[str]:
    rows = [
        [name, *(f"{value:.6f}" for value in row)]
        for name, row in zip("xyz", record["stress_ev_per_angstrom3"], strict=True)
    ]
    return ["", *table("Stress / (eV/angstrom^3)", ("", "x", "y", "z"), rows, "")]


def _forces(record: Record) -> list[str]:
    pairs = zip(record["structure"]["symbols"], record["forces_ev_per_angstrom"], strict=True)
    rows = [
        [f"{i} {name}", *(f"{component:.4f}" for component in force)]
        for i, (name, force) in enumerate(pairs)
    ]
    return ["", *table("Forces / (eV/angstrom)", ("atom", "x", "y", "z"), rows, "atom")]


def _states(
    name: str, states: Sequence[Record], record: Record, width: int | None, rotatory: bool
) -> list[str]:
    """Table of the states of one multiplicity; what is the same for all stands once below it."""
    bright, letter = name != "triplets", name[0].upper()
    spreads = {_plus_minus(state.get("uncertainty_ev"), 2) for state in states}
    common = spreads.pop() if len(spreads) == 1 else ""
    largest = max(abs(state.get("rotatory_strength_1e40_cgs", 0.0)) for state in states)
    chiral = bright and (rotatory or largest >= ROTATORY_NOISE)
    spins = "s2" in states[0]
    columns = ["state", "E / eV", "nm", *(["f"] if bright else [])]
    columns += [*(["R / 1e-40 cgs"] if chiral else []), *(["<S2>"] if spins else [])]
    columns += ["character", "contributions"]
    rows = []
    for index, state in enumerate(states, start=1):
        spread = "" if common else _plus_minus(state.get("uncertainty_ev"), 2)
        wavelength = state["wavelength_nm"]
        row = [f"{letter}{index}", f"{state['energy_ev']:.3f}{spread}"]
        row.append("" if wavelength is None else f"{wavelength:.1f}")
        if bright:
            # adding zero turns a rounded -0 into 0
            row.append(f"{round(state['oscillator_strength'], 4) + 0.0:.4f}")
        if chiral:
            row.append(f"{round(state['rotatory_strength_1e40_cgs'], 2) + 0.0:.2f}")
        if spins:
            row.append(f"{state['s2']:.2f}")
        rows.append([*row, _character(state), _contributions(state, record)])
    lines = table(name.capitalize(), columns, rows, "state character contributions")
    if width is not None:  # contributions come last: only they are cut
        shortest = max(len(line) - len(row[-1]) for line, row in zip(lines[2:], rows, strict=True))
        lines = [*lines[:2], *(line[: max(width, shortest)] for line in lines[2:])]
    against = _spread(record, "excitations_against")
    target = f"one standard deviation against {against}" if against else "one standard deviation"
    if common:
        lines.append(f"All energies{common} eV: {target}, not against experiment")
    elif spreads:
        lines.append(f"±: {target}, not against experiment")
    return ["", *lines]


def _contributions(state: Record, record: Record) -> str:
    """Heaviest orbital pairs of a state, with their spin where there are two."""
    filled = {"": record["n_occupied"], "alpha": record["n_occupied"]}
    filled["beta"] = record.get("n_occupied_beta", 0)
    pairs = sorted(state.get("contributions", []), key=lambda c: -c["weight"])
    shown = [c for c in pairs if c["weight"] >= CONTRIBUTION_SHOWN][:3] or pairs[:1]
    words = []
    for c in shown:
        spin = c.get("spin", "")
        source, target = (orbital_name(c[end], int(filled[spin])) for end in ("from", "to"))
        words.append(f"{spin} {source} -> {target} {100 * c['weight']:.0f}%".strip())
    return ", ".join(words)


def _character(state: Record) -> str:
    """``pi-pi*``, with the charge-transfer number where there are several fragments."""
    moved = state.get("charge_transfer_number")
    return state["character"] + ("" if moved is None else f" CT {moved:.2f}")
