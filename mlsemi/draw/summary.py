"""One row of a table for each molecule of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsemi.molecule.elements import formula
from mlsemi.units import AU_DEBYE, BOHR_ANGSTROM

COLUMNS = (
    *("name", "file", "frame", "formula", "charge", "multiplicity"),
    *("energy_ev", "homo_ev", "lumo_ev", "gap_ev", "dipole_debye", "s1_ev", "s1_nm", "s1_f"),
    *("bright_state", "bright_ev", "bright_nm", "bright_f", "t1_ev"),
    *("solvent", "warnings", "error"),
)
"""Of every summary, whatever was asked for; empty where there is nothing."""


def summary_row(record: dict[str, Any]) -> dict[str, Any]:
    """Row of a record.

    Parameters
    ----------
    record : mapping
        ``Result.to_dict()`` with its ``source``.

    Returns
    -------
    dict
        Some of ``COLUMNS``.
    """
    structure, excited = record["structure"], record.get("excitations", {})
    row: dict[str, Any] = {
        "name": record.get("name", ""),
        "file": record["source"]["file"],
        "frame": record["source"]["frame"],
        "formula": formula(structure["symbols"]),
        "charge": structure["charge"],
        "multiplicity": structure["multiplicity"],
    }
    for key in ("energy_ev", "homo_ev", "lumo_ev", "gap_ev"):
        row[key] = _number(record.get(key))
    if "dipole_e_angstrom" in record:
        dipole = np.linalg.norm(record["dipole_e_angstrom"]) * AU_DEBYE / BOHR_ANGSTROM
        row["dipole_debye"] = _number(float(dipole))
    for name, states in (("s1", excited.get("singlets")), ("t1", excited.get("triplets"))):
        if states:
            row[f"{name}_ev"] = _number(states[0]["energy_ev"])
            if name == "s1":
                row["s1_nm"] = _number(states[0]["wavelength_nm"], 2)
                row["s1_f"] = _number(states[0]["oscillator_strength"])
    if singlets := excited.get("singlets"):
        best = max(range(len(singlets)), key=lambda k: float(singlets[k]["oscillator_strength"]))
        row["bright_state"] = f"S{best + 1}"
        row["bright_ev"] = _number(singlets[best]["energy_ev"])
        row["bright_nm"] = _number(singlets[best]["wavelength_nm"], 2)
        row["bright_f"] = _number(singlets[best]["oscillator_strength"])
    row["solvent"] = record.get("solvent", {}).get("name", "")
    row["warnings"] = "; ".join(record["warnings"])
    return row


def _number(value: float | None, digits: int = 5) -> str:
    """Digits that mean something; nothing for a number that does not exist."""
    return "" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"
