"""Figures of absorption and circular dichroism: one spectrum with its states, or several.

Data enters in the units on the axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from mlsemi.draw.measured import Measured
from mlsemi.draw.plots import CURVE, CYCLE, INK, STICKS, STYLE, figure_of, title_of
from mlsemi.draw.spectrum import Spectrum
from mlsemi.units import EV_NM

NOISE, NOISE_CD = 1e-6, 1e-2
"""Largest strength or absorption, and their circular differences, that are drawn as zero."""
HEADROOM = 1.12
SAME_PLACE = 0.002
"""Sticks nearer than this share of the axis hide each other."""
NAMED = 0.06
"""Strength, in shares of the largest, from which a state is named."""
MOST_IN_LEGEND = 8
FAINTEST = 1.0
"""Largest value of a curve, L / (mol cm), that a stack draws as nothing."""

ToAxis = Callable[[ArrayLike], np.ndarray]

__all__ = ["comparison_figure", "spectrum_figure"]


def spectrum_figure(
    grid_ev: np.ndarray,
    curve: np.ndarray,
    stick_energies_ev: np.ndarray,
    stick_strengths: np.ndarray,
    *,
    axis: Literal["ev", "nm"] = "nm",
    cd: bool = False,
    title: str = "",
    complete_ev: float | None = None,
    labels: Sequence[str] = (),
    measured: Measured | None = None,
    colour: str | None = None,
) -> Figure:
    """Broadened spectrum over its sticks.

    Parameters
    ----------
    grid_ev : (n_point,) array
        Photon energies of the curve, eV, ascending and positive.
    curve : (n_point,) array
        Molar extinction epsilon, or with ``cd`` its circular difference, L/(mol cm).
    stick_energies_ev : (n_state,) array
        Excitation energies, eV.
    stick_strengths : (n_state,) array
        Oscillator strengths, or with ``cd`` rotatory strengths, 1e-40 cgs.
    axis : "ev" or "nm"
        Unit of the lower axis; the upper axis shows the other one.
    cd : bool
        Circular dichroism instead of absorption.
    title : str
        Text above the figure.
    complete_ev : float, optional
        Above, the curve lacks states that were not computed: the figure says so, and the curve
        ends there, or is dashed if no state lies below.
    labels : sequence of str, optional
        Names of the states; those of the strongest are written at their sticks.
    measured : Measured, optional
        Drawn too, scaled to the height of the curve.
    colour : str, optional
        Of a solution, shown beside the title.
    """
    to_axis = np.array if axis == "ev" else _reciprocal
    unit, other = ("eV", "nm") if axis == "ev" else ("nm", "eV")
    with mpl.rc_context(STYLE):
        figure, axes = figure_of(5.0, 3.2)
        known = grid_ev.size
        end = float(grid_ev[-1])
        if complete_ev is not None and complete_ev < end:
            known = int(np.searchsorted(grid_ev, complete_ev, side="right"))
            if (stick_energies_ev > complete_ev).all():
                axes.plot(to_axis(grid_ev), curve, color=CURVE, lw=1.4, ls="--", zorder=3)
            else:
                end = max(complete_ev, float(np.max(stick_energies_ev)) + 0.01 * end)
                grid_ev, curve = grid_ev[:known], curve[:known]
            beyond = to_axis([float(grid_ev[max(0, known - 1)]), end])
            axes.axvspan(*beyond, color="0.93", lw=0, label="higher states not computed")
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7)
        axes.plot(to_axis(grid_ev[:known]), curve[:known], color=CURVE, lw=1.4, zorder=3)
        axes.fill_between(to_axis(grid_ev), 0.0, curve, color=CURVE, alpha=0.12, lw=0)
        x = to_axis([float(grid_ev[0]), end])
        axes.set_xlim(float(x.min()), float(x.max()))
        axes.set_xlabel(f"{_quantity(unit)} / {unit}")
        delta = r"\Delta" if cd else ""
        axes.set_ylabel(rf"${delta}\varepsilon$ / (L mol$^{{-1}}$ cm$^{{-1}}$)", color=CURVE)
        upper = axes.secondary_xaxis("top", functions=(_reciprocal, _reciprocal))
        upper.set_xlabel(f"{_quantity(other)} / {other}")
        ticks = _round_ticks(x)
        upper.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        if not cd:
            _mark_peak(axes, unit)
        if measured is not None:
            _draw_measured(axes, to_axis, measured, grid_ev[:known], curve[:known])
        right = _sticks(axes, to_axis(stick_energies_ev), stick_strengths, cd)
        if labels:
            _name_sticks(right, to_axis(stick_energies_ev), stick_strengths, labels)
        if colour is not None:
            _show_colour(figure, colour)
        figure.suptitle(title_of(title) or " ", fontsize=9, parse_math=False)
    return figure


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
    to_axis: ToAxis = np.array if axis == "ev" else _reciprocal
    unit = "eV" if axis == "ev" else "nm"
    parts = [spectrum.complete_part() for spectrum in spectra]
    ends = np.array([[part.energies_ev[0], part.energies_ev[-1]] for part in parts])
    x = to_axis([float(ends[:, 0].min()), float(ends[:, 1].max())])
    with mpl.rc_context(STYLE):
        figure, axes = figure_of(5.6, max(3.2, 1.0 + 0.42 * len(parts)) if stack else 3.4)
        axes.set_xlim(float(x.min()), float(x.max()))
        draw = _stacked if stack else _overlaid
        draw(axes, to_axis, parts, names, cd, measured)
        axes.set_xlabel(f"{_quantity(unit)} / {unit}")
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
        _draw_measured(axes, to_axis, measured, longest, highest)
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


def _draw_measured(
    axes: Axes, to_axis: ToAxis, measured: Measured, grid_ev: np.ndarray, curve: np.ndarray
) -> None:
    """A measured curve, as high as the computed one where both are known."""
    scaled = measured.scaled_to(grid_ev, curve)
    label = "measured, scaled to the same height"
    axes.plot(to_axis(measured.energies_ev), scaled, color=INK, lw=1.0, ls="--", label=label)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7)


def _show_colour(figure: Figure, colour: str) -> None:
    """A patch in the colour of a solution, at the upper right."""
    patch = Rectangle(
        (0.945, 0.945), 0.04, 0.045, transform=figure.transFigure, fc=colour, ec=INK, lw=0.6
    )
    figure.add_artist(patch)
    figure.text(0.935, 0.967, "solution", ha="right", va="center", fontsize=7, color=INK)


def _quantity(unit: str) -> str:
    return "photon energy" if unit == "eV" else "wavelength"


def _reciprocal(value: ArrayLike) -> np.ndarray:
    """EV <-> nm; zero, which matplotlib probes at the edge of an axis, goes to infinity."""
    with np.errstate(divide="ignore"):
        return EV_NM / np.asarray(value, dtype=np.float64)


def _round_ticks(x: np.ndarray) -> list[float]:
    """Round values of the reciprocal of an axis over ``x``: the coarsest step with four ticks."""
    ticks: list[float] = []
    for step in (100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1):
        ticks = _spread_ticks(x, step)
        if len(ticks) >= 4:
            break
    return ticks


def _spread_ticks(x: np.ndarray, step: float) -> list[float]:
    """Multiples of ``step`` of the reciprocal of an axis over ``x``, none crowding the last."""
    low, high = float(np.min(x)), float(np.max(x))
    ticks: list[float] = []
    last = np.inf
    for tick in step * np.arange(np.ceil(EV_NM / high / step), EV_NM / low / step + 1e-9):
        place = EV_NM / tick
        if last - place >= 0.08 * (high - low):
            ticks.append(float(tick))
            last = place
    return ticks


def _sticks(axes: Axes, x: np.ndarray, strengths: np.ndarray, cd: bool) -> Axes:
    """Strengths on a right-hand axis whose zero lies at the zero of the curve.

    Sticks that would hide each other, of degenerate states, stand one on another with a mark
    between them, so that their sum is seen and their number too.
    """
    right = axes.twinx()
    top = 0.0
    for members in _degenerate(x, axes):
        base = {True: 0.0, False: 0.0}
        for k in members:
            up = bool(strengths[k] >= 0.0)
            end = base[up] + float(strengths[k])
            right.vlines(x[k], base[up], end, color=STICKS, lw=1.2)
            if base[up]:
                right.plot([x[k]], [base[up]], "_", color=STICKS, ms=5, mew=0.8)
            base[up] = end
            top = max(top, abs(end))
    right.spines["right"].set_visible(True)
    label = r"rotatory strength / 10$^{-40}$ cgs" if cd else "oscillator strength"
    right.set_ylabel(label, color=STICKS)
    lower = -1.08 if cd else 0.0
    curves = np.concatenate([np.asarray(line.get_ydata()) for line in axes.lines])
    highest = float(np.max(np.abs(np.asarray(curves, dtype=np.float64)), initial=0.0))
    for one, limit in ((axes, highest), (right, top)):
        limit = limit if limit > (NOISE_CD if cd else NOISE) else 1.0
        one.set_ylim(lower * limit, HEADROOM * limit)
    if cd:
        axes.axhline(0.0, color=INK, lw=0.6)
    return right


def _degenerate(x: np.ndarray, axes: Axes) -> list[list[int]]:
    """Numbers of the sticks that fall on each other, in groups."""
    low, high = axes.get_xlim()
    groups: list[list[int]] = []
    for k in np.argsort(x, kind="stable").tolist():
        if groups and abs(x[k] - x[groups[-1][0]]) < SAME_PLACE * abs(high - low):
            groups[-1].append(k)
        else:
            groups.append([k])
    return groups


def _name_sticks(right: Axes, x: np.ndarray, strengths: np.ndarray, labels: Sequence[str]) -> None:
    """Names of the strongest states at the ends of their sticks, none over another."""
    low, high = right.get_xlim()
    top = right.get_ylim()[1]
    taken: list[float] = []
    sums = [(m, float(np.sum(strengths[m]))) for m in _degenerate(x, right)]
    for members, total in sorted(sums, key=lambda item: -abs(item[1])):
        at = float(x[members[0]])
        visible = min(low, high) <= at <= max(low, high)
        crowded = any(abs(at - other) < 0.06 * abs(high - low) for other in taken)
        if abs(total) < NAMED * top or not visible or crowded:
            continue
        taken.append(at)
        text = ",".join(labels[k] for k in members[:3]) + ("..." if len(members) > 3 else "")
        below = total < 0.0
        right.annotate(
            text,
            (at, total),
            xytext=(3, 0),
            textcoords="offset points",
            ha="left",
            va="bottom" if below else "top",
            fontsize=7,
            color=STICKS,
        )


def _mark_peak(axes: Axes, unit: str) -> None:
    """The wavelength or energy of the highest point of the curve, written at it."""
    line = axes.lines[-1]
    x, y = (np.asarray(values, dtype=np.float64) for values in (line.get_xdata(), line.get_ydata()))
    if not y.size or y.max() <= NOISE:
        return
    best = int(y.argmax())
    if best in (0, y.size - 1):  # still rising where it ends: no maximum
        return
    value = f"{x[best]:.0f} nm" if unit == "nm" else f"{x[best]:.2f} eV"
    axes.annotate(
        value,
        (float(x[best]), float(y[best])),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        fontsize=7,
        color=CURVE,
    )
