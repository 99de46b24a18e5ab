"""Bands and couplings as compact tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlsemi.draw.report import edges, heading, table

Record = Mapping[str, Any]


def bands_text(record: Record, title: str) -> str:
    """Edges, widths and effective masses of bands, and their energies at the corners of the path.

    Parameters
    ----------
    record : mapping
        ``Bands.to_dict()``.
    title : str
        Where the structure came from.
    """
    return "\n".join(
        [*heading(record, title), "", *edges(record), "", *_frontier(record), "", *_corners(record)]
    )


def _frontier(record: Record) -> list[str]:
    rows = []
    for name, kind in (("homo", "hole"), ("lumo", "electron")):
        if f"{name}_at" not in record:
            continue
        masses = record["effective_masses"].get(kind, [])
        rows.append(
            [
                f"{name.upper()} band",
                " ".join(f"{x:.3f}" for x in record[f"{name}_at"]),
                f"{record[f'{name}_width_ev']:.3f}",
                "  ".join(_masses(along) for along in masses),
            ]
        )
    columns = ("", "edge at k", "width / eV", "masses along b1, b2, b3 / m_e")
    return table("Frontier bands", columns, rows, "masses along b1, b2, b3 / m_e")


def _masses(values: Sequence[float]) -> str:
    """Masses along one direction; a dash where the band has no edge."""
    return "/".join("flat" if abs(m) > 1e3 else f"{m:.2f}" for m in values) or "-"


def _corners(record: Record) -> list[str]:
    x = np.asarray(record["kpoints"]["distances_per_angstrom"])
    energies, n = np.asarray(record["kpoints"]["energies_ev"]), record["n_occupied"]
    shown = [p for p in range(n - 2, n + 2) if 0 <= p < energies.shape[1]]
    columns = ("point", *(f"band {p}" for p in shown))
    rows = [
        [name, *(f"{energies[int(np.argmin(np.abs(x - at))), p]:.3f}" for p in shown)]
        for at, name in record["labels"]
    ]
    return table(f"Energies / eV along {record['path']}", columns, rows, "point")


def couplings_text(record: Record, title: str) -> str:
    """Site energies of the molecules, and the transfer integrals of every pair.

    Parameters
    ----------
    record : mapping
        ``Couplings.to_dict()``.
    title : str
        Where the structure came from.
    """
    molecules = [
        [f"{n} {molecule['formula']}", *(_number(molecule[f"{o}_ev"], 3) for o in ("homo", "lumo"))]
        for n, molecule in enumerate(record["molecules"])
    ]
    pairs = [
        [
            pair["name"],
            f"{pair['distance_angstrom']:.2f}",
            *(_number(pair[f"{o}_mev"], 1) for o in ("homo", "lumo")),
        ]
        for pair in sorted(record["pairs"], key=lambda pair: pair["distance_angstrom"])
    ]
    sites = table("Site energies / eV", ("molecule", "HOMO", "LUMO"), molecules, "molecule")
    columns = ("pair", "distance / A", "HOMO", "LUMO")
    lines = [*heading(record, title), "", *sites, ""]
    return "\n".join([*lines, *table("Transfer integrals / meV", columns, pairs, "pair")])


def fluctuations_text(records: Sequence[Record]) -> str:
    """Mean and standard deviation of every coupling over the frames of a trajectory.

    Parameters
    ----------
    records : sequence of mapping
        ``Couplings.to_dict()`` of each frame.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        for pair in record["pairs"]:
            homo, lumo = pair["homo_mev"], pair["lumo_mev"]
            found.setdefault(pair["name"], []).append((homo, np.nan if lumo is None else lumo))
    rows = []
    for name, values in found.items():
        mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
        cells = [f"{m:.1f} ± {s:.1f}" for m, s in zip(mean, spread, strict=True)]
        rows.append([name, str(len(values)), *cells])
    columns = ("pair", "frames", "HOMO", "LUMO")
    return "\n".join(table("Mean and fluctuation / meV", columns, rows, "pair"))


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
