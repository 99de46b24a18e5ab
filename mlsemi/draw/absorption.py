"""Figures of absorption and circular dichroism: a spectrum with its states.

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
from mlsemi.draw.plots import CURVE, INK, STICKS, STYLE, figure_of, title_of
from mlsemi.units import EV_NM

NOISE, NOISE_CD = 1e-6, 1e-2
"""Largest strength or absorption, and their circular differences, that are drawn as zero."""
HEADROOM = 1.12
SAME_PLACE = 0.002
"""Sticks nearer than this share of the axis hide each other."""
NAMED = 0.06
"""Strength, in shares of the largest, from which a state is named."""

ToAxis = Callable[[ArrayLike], np.ndarray]

__all__ = ["spectrum_figure"]


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
    to_axis = np.array if axis == "ev" else reciprocal
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
        axes.set_xlabel(f"{quantity_of(unit)} / {unit}")
        delta = r"\Delta" if cd else ""
        axes.set_ylabel(rf"${delta}\varepsilon$ / (L mol$^{{-1}}$ cm$^{{-1}}$)", color=CURVE)
        upper = axes.secondary_xaxis("top", functions=(reciprocal, reciprocal))
        upper.set_xlabel(f"{quantity_of(other)} / {other}")
        ticks = _round_ticks(x)
        upper.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        if not cd:
            _mark_peak(axes, unit)
        if measured is not None:
            draw_measured(axes, to_axis, measured, grid_ev[:known], curve[:known])
        right = _sticks(axes, to_axis(stick_energies_ev), stick_strengths, cd)
        if labels:
            _name_sticks(right, to_axis(stick_energies_ev), stick_strengths, labels)
        if colour is not None:
            _show_colour(figure, colour)
        figure.suptitle(title_of(title) or " ", fontsize=9, parse_math=False)
    return figure


def draw_measured(
    axes: Axes, to_axis: ToAxis, measured: Measured, grid_ev: np.ndarray, curve: np.ndarray
) -> None:
    """A measured curve, as high as the computed one where both are known.

    Parameters
    ----------
    axes : matplotlib Axes
    to_axis : callable
        From eV to what the axis shows.
    measured : Measured
    grid_ev, curve : (n,) arrays
        Energies, eV, and the computed curve there.
    """
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


def quantity_of(unit: str) -> str:
    """What an axis in a unit shows."""
    return "photon energy" if unit == "eV" else "wavelength"


def reciprocal(value: ArrayLike) -> np.ndarray:
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
