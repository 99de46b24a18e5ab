"""Figures of several spectra: over each other, or one above another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlsemi.draw.absorption import (
    HEADROOM,
    NOISE,
    NOISE_CD,
    ToAxis,
    draw_measured,
    quantity_of,
    reciprocal,
)
from mlsemi.draw.measured import Measured
from mlsemi.draw.plots import CYCLE, INK, STYLE, figure_of, title_of
from mlsemi.draw.spectrum import Spectrum

MOST_IN_LEGEND = 8
LEAST_ROW = 0.17
"""Height of a curve of a large stack, inches: its name still fits beside it."""
FAINTEST = 1.0
"""Largest value of a curve, L / (mol cm), that a stack draws as nothing."""

__all__ = ["comparison_figure"]


def comparison_figure(
    spectra: Sequence[Spectrum],
    names: Sequence[str],
    *,
    axis: Literal["ev", "nm"] = "nm",
    cd: bool = False,
    stack: bool = False,
    measured: Measured | None = None,
    title: str = "",
) -> Figure:
    """Several spectra over each other, or one above another.

    Parameters
    ----------
    spectra : sequence of Spectrum
        Each is drawn as far as it is complete.
    names : sequence of str
    axis : "ev" or "nm"
        Unit of the lower axis.
    cd : bool
        Circular dichroism instead of absorption.
    stack : bool
        One above another, each scaled to its own largest value, which stands beside its name.
    measured : Measured, optional
        Drawn too, scaled to the highest curve; at the bottom of a stack.
    title : str
    """
    to_axis: ToAxis = np.array if axis == "ev" else reciprocal
    unit = "eV" if axis == "ev" else "nm"
    parts = [spectrum.complete_part() for spectrum in spectra]
    ends = np.array([[part.energies_ev[0], part.energies_ev[-1]] for part in parts])
    x = to_axis([float(ends[:, 0].min()), float(ends[:, 1].max())])
    with mpl.rc_context(STYLE):
        row = min(0.42, max(LEAST_ROW, 8.0 / len(parts)))
        figure, axes = figure_of(5.6, max(3.2, 1.0 + row * len(parts)) if stack else 3.4)
        axes.set_xlim(float(x.min()), float(x.max()))
        draw = _stacked if stack else _overlaid
        draw(axes, to_axis, parts, names, cd, measured)
        axes.set_xlabel(f"{quantity_of(unit)} / {unit}")
        axes.spines["top"].set_visible(False)
        figure.suptitle(title_of(title), fontsize=9, parse_math=False)
    return figure


def _values(part: Spectrum, cd: bool) -> tuple[np.ndarray, np.ndarray]:
    """The curve and the sticks of a spectrum."""
    if cd:
        return part.delta_extinction, part.rotatory_strengths_1e40_cgs
    return part.extinction, part.oscillator_strengths


def _overlaid(
    axes: Axes,
    to_axis: ToAxis,
    parts: Sequence[Spectrum],
    names: Sequence[str],
    cd: bool,
    measured: Measured | None,
) -> None:
    right = axes.twinx()
    top, strongest = 0.0, 0.0
    for k, (part, name) in enumerate(zip(parts, names, strict=True)):
        colour = CYCLE[k % len(CYCLE)]
        style = ("-", "--", ":", "-.")[k // len(CYCLE) % 4]
        curve, strengths = _values(part, cd)
        axes.plot(to_axis(part.energies_ev), curve, style, color=colour, lw=1.3, label=_said(name))
        shown = part.stick_energies_ev <= part.energies_ev[-1]
        at = to_axis(part.stick_energies_ev[shown])
        right.vlines(at, 0.0, strengths[shown], color=colour, lw=0.9, alpha=0.7)
        top = max(top, float(np.abs(curve).max(initial=0.0)))
        strongest = max(strongest, float(np.abs(strengths[shown]).max(initial=0.0)))
    if measured is not None:
        longest = max((part.energies_ev for part in parts), key=len)
        highest = np.zeros(len(longest))
        for part in parts:
            curve = np.abs(_values(part, cd)[0])
            highest[: len(curve)] = np.maximum(highest[: len(curve)], curve)
        draw_measured(axes, to_axis, measured, longest, highest)
    lower = -HEADROOM if cd else 0.0
    noise = NOISE_CD if cd else NOISE
    for one, limit in ((axes, top), (right, strongest)):
        limit = limit if limit > noise else 1.0
        one.set_ylim(lower * limit, HEADROOM * limit)
    right.spines["right"].set_visible(True)
    right.spines["top"].set_visible(False)
    right.set_ylabel(r"rotatory strength / 10$^{-40}$ cgs" if cd else "oscillator strength")
    delta = r"\Delta" if cd else ""
    axes.set_ylabel(rf"${delta}\varepsilon$ / (L mol$^{{-1}}$ cm$^{{-1}}$)")
    if cd:
        axes.axhline(0.0, color=INK, lw=0.6)
    columns = 1 + (len(parts) > MOST_IN_LEGEND)
    legend = axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2 * columns, fontsize=7
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _stacked(
    axes: Axes,
    to_axis: ToAxis,
    parts: Sequence[Spectrum],
    names: Sequence[str],
    cd: bool,
    measured: Measured | None,
) -> None:
    low, high = axes.get_xlim()
    level = 0.0
    if measured is not None:
        inside = to_axis(measured.energies_ev)
        kept = (inside >= low) & (inside <= high)
        if kept.any():
            values = measured.values[kept] / (float(np.abs(measured.values[kept]).max()) or 1.0)
            axes.plot(inside[kept], 0.85 * values, color=INK, lw=1.0)
            _beside(axes, "measured", 0.0)
            level += 1.0
    for k, (part, name) in enumerate(zip(reversed(parts), reversed(names), strict=True)):
        colour = CYCLE[(len(parts) - 1 - k) % len(CYCLE)]
        curve, strengths = _values(part, cd)
        largest = float(np.abs(curve).max(initial=0.0))
        scale = 0.85 / largest if largest > FAINTEST else 0.0
        x = to_axis(part.energies_ev)
        axes.axhline(level, color="0.85", lw=0.6, zorder=1)
        axes.fill_between(x, level, level + scale * curve, color=colour, alpha=0.15, lw=0)
        axes.plot(x, level + scale * curve, color=colour, lw=1.1, zorder=3)
        shown = part.stick_energies_ev <= part.energies_ev[-1]
        most = float(np.abs(strengths[shown]).max(initial=0.0))
        heights = strengths[shown] * (0.6 / most if most > NOISE else 0.0)
        at = to_axis(part.stick_energies_ev[shown])
        axes.vlines(at, level, level + heights, color=colour, lw=0.8)
        _beside(axes, f"{_said(name)}  {_figure_of(largest)}", level)
        level += 1.0
    axes.set_ylim(-1.0 if cd else -0.1, level)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    symbol = r"$\Delta\varepsilon$" if cd else r"$\varepsilon$"
    axes.set_ylabel(f"{symbol} over its largest value,\nL/(mol cm) beside the name", fontsize=8)


def _beside(axes: Axes, text: str, level: float) -> None:
    """The name of a curve of a stack, right of it."""
    place = axes.get_yaxis_transform()
    axes.text(1.01, level + 0.1, text, transform=place, fontsize=7, va="bottom", parse_math=False)


def _figure_of(value: float) -> str:
    """Three digits of a number."""
    return f"{float(f'{value:.3g}'):,.0f}".replace(",", "\u2009") if value >= 1.0 else "< 1"


def _said(name: str) -> str:
    """A name as a legend takes it: one that begins with an underscore would be left out."""
    short = title_of(name)
    short = short if len(short) <= 32 else short[:31] + "…"
    return " " + short if short.startswith("_") else short
