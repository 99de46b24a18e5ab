"""Panels of curves for validation figures, in the style of the package's own plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from mlsemi.draw.plots import CYCLE, STYLE

MOST_MARKS = 8
"""Up to so many points of a curve are named on a logarithmic axis."""


class Panel(NamedTuple):
    """One pair of axes.

    Attributes
    ----------
    xlabel, ylabel : str
    curves : mapping of label to (x, y, format)
        The format is matplotlib's: marker and line.
    logarithmic : str
        Which axes are logarithmic: "", "x", "y" or "xy".
    lines : mapping of label to y
        Horizontal lines of published values.
    title : str
    """

    xlabel: str
    ylabel: str
    curves: Mapping[str, tuple[Sequence[float], Sequence[float], str]]
    logarithmic: str = "xy"
    lines: Mapping[str, float] | None = None
    title: str = ""


def figure_of(panels: Sequence[Panel], columns: int = 2) -> Figure:
    """Figure with one axes per panel."""
    rows = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.4 * columns, 2.7 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        for index, panel in enumerate(panels):
            axes = figure.add_subplot(rows, columns, index + 1)
            for n, (name, (x, y, form)) in enumerate(panel.curves.items()):
                color = CYCLE[n % len(CYCLE)]
                axes.plot(np.asarray(x), np.asarray(y), form, color=color, label=name, ms=4, lw=1.2)
            for n, (name, y) in enumerate((panel.lines or {}).items()):
                color = CYCLE[(len(panel.curves) + n) % len(CYCLE)]
                axes.axhline(y, color=color, ls=":", lw=1.0, label=name)
            if "x" in panel.logarithmic:
                axes.set_xscale("log")
                axes.xaxis.set_minor_formatter(NullFormatter())  # labels would overlap
                marks = np.asarray(next(iter(panel.curves.values()))[0])
                if marks.size <= MOST_MARKS:
                    marks = marks[np.append(np.diff(np.log(marks)) > 0.2, True)]
                    axes.set_xticks(marks, [f"{x:g}" for x in marks])
            if "y" in panel.logarithmic:
                axes.set_yscale("log")
            axes.set_xlabel(panel.xlabel)
            axes.set_ylabel(panel.ylabel)
            axes.set_title(panel.title, fontsize=9)
            axes.spines["top"].set_visible(False)
            axes.legend(fontsize=7)
    return figure
