"""Figures of what is periodic: bands beside densities of states, couplings as a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mlsemi.draw.plots import CURVE, CYCLE, INK, STICKS, STYLE, Picture

BELOW_EV, ABOVE_EV = 8.0, 8.0
"""What is shown of the bands below and above the Fermi level."""


def bands_figure(record: Mapping[str, Any], densities: Mapping[str, np.ndarray]) -> Figure:
    """Bands along a path, the density of states by element and shell beside them.

    Parameters
    ----------
    record : mapping
        ``Bands.to_dict()``.
    densities : mapping of name to array
        ``Bands.densities()``.
    """
    k, fermi = record["kpoints"], record["kpoints"]["fermi_ev"]
    x = np.asarray(k["distances_per_angstrom"])
    levels = np.asarray(k["energies_ev"]) - fermi
    n = record["n_occupied"]
    with mpl.rc_context(STYLE):
        figure = Picture(figsize=(6.4, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 1), sharey=True)
        left.plot(x, levels[:, :n], color=CURVE, linewidth=1.0)
        left.plot(x, levels[:, n:], color=STICKS, linewidth=1.0)
        marks = [at for at, _ in record["labels"]]
        left.set_xticks(marks, [_greek(name) for _, name in record["labels"]])
        for at in marks:
            left.axvline(at, color=INK, linewidth=0.4)
        left.set_xlim(x[0], x[-1])
        left.set_ylim(max(levels.min() - 0.5, -BELOW_EV), min(levels.max() + 0.5, ABOVE_EV))
        left.set_ylabel("energy above the Fermi level (eV)")
        grid = densities["energies_ev"] - fermi
        right.fill_betweenx(grid, densities["total"], color=INK, alpha=0.12, linewidth=0.0)
        parts = [name for name in densities if name not in ("energies_ev", "total")]
        for name, colour in zip(parts, CYCLE * len(parts), strict=False):
            right.plot(densities[name], grid, color=colour, linewidth=1.0, label=name)
        right.set_xlabel("states / eV")
        shown = (grid > left.get_ylim()[0]) & (grid < left.get_ylim()[1])
        right.set_xlim(0.0, 1.05 * densities["total"][shown].max())
        right.legend(fontsize=7)
        for axes in (left, right):
            axes.spines["top"].set_visible(False)
            axes.axhline(0.0, color=INK, linewidth=0.6, linestyle=":")
    return figure


def _greek(name: str) -> str:
    return "Γ" if name == "G" else name


def couplings_figure(record: Mapping[str, Any], orbital: str = "homo") -> Figure:
    """Molecules where they are, joined by lines as thick as the coupling between them is large.

    Parameters
    ----------
    record : mapping
        ``Couplings.to_dict()``.
    orbital : str
        ``homo`` or ``lumo``.
    """
    key = f"{orbital}_mev"
    pairs = [pair for pair in record["pairs"] if pair[key] is not None]
    ends = np.array([pair["centers_angstrom"] for pair in pairs]).reshape(-1, 2, 3)
    strength = np.abs([pair[key] for pair in pairs])
    spread = ends.reshape(-1, 3) - ends.reshape(-1, 3).mean(axis=0)
    axes3 = np.linalg.svd(spread, full_matrices=False)[2][:2]
    flat = (ends - ends.reshape(-1, 3).mean(axis=0)) @ axes3.T
    with mpl.rc_context(STYLE):
        figure = Picture(figsize=(5.2, 4.4), layout="constrained")
        axes = figure.subplots()
        order = np.argsort(strength)
        largest = max(float(strength.max(initial=0.0)), 1e-12)
        for p in order.tolist():
            share = float(strength[p]) / largest
            axes.plot(
                *flat[p].T, color=CURVE, linewidth=0.5 + 5.0 * share, alpha=0.25 + 0.6 * share
            )
            if share > 0.05:
                axes.annotate(
                    f"{pairs[p][key]:.0f}",
                    flat[p].mean(axis=0),
                    ha="center",
                    va="center",
                    fontsize=7,
                )
        for pair, both in zip(pairs, flat, strict=True):
            for molecule, home, at in zip(
                pair["molecules"], (True, not any(pair["shift"])), both, strict=True
            ):
                colour = CYCLE[(molecule + 1) % len(CYCLE)]
                axes.plot(*at, "o", markersize=9 if home else 5, color=colour)
        axes.set_aspect("equal", "datalim")
        axes.set_xlabel("angstrom")
        axes.set_ylabel("angstrom")
        axes.set_title(f"transfer integrals of the {orbital.upper()}s, meV", fontsize=9)
    return figure


def trajectory_figure(records: Sequence[Mapping[str, Any]], orbital: str = "homo") -> Figure:
    """Couplings of every pair over the frames of a trajectory.

    Parameters
    ----------
    records : sequence of mapping
        ``Couplings.to_dict()`` of each frame.
    orbital : str
        ``homo`` or ``lumo``.
    """
    key = f"{orbital}_mev"
    names = list(dict.fromkeys(pair["name"] for record in records for pair in record["pairs"]))
    table = np.full((len(records), len(names)), np.nan)
    for row, record in enumerate(records):
        for pair in record["pairs"]:
            if pair[key] is not None:
                table[row, names.index(pair["name"])] = pair[key]
    largest = np.argsort(-np.nanmax(np.abs(table), axis=0))[: len(CYCLE)]
    with mpl.rc_context(STYLE):
        figure = Picture(figsize=(6.4, 3.4), layout="constrained")
        axes = figure.subplots()
        for column, colour in zip(largest.tolist(), CYCLE, strict=False):
            axes.plot(table[:, column], color=colour, linewidth=1.0, label=names[column])
        axes.set_xlabel("frame")
        axes.set_ylabel(f"coupling of the {orbital.upper()}s (meV)")
        axes.legend(fontsize=7, ncols=2)
    return figure
