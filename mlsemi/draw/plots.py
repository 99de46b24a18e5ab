"""Figures: style and files; levels, learning curve, parity, distributions.

Figures are built with the object interface of matplotlib and saved by file extension, so no
display is needed and no global state is touched. Data enters in the units on the axes.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlsemi.errors import InputError
from mlsemi.outputs import complete_or_absent

FORMATS = ("png", "svg", "pdf")
INK, CURVE, STICKS = "#222222", "#0072B2", "#D55E00"
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of Okabe and Ito, told apart by colour-blind readers and in grey."""
LEVELS_BELOW, LEVELS_ABOVE = 12, 6
"""Orbitals of a level diagram on either side of the gap."""
LONGEST_TITLE = 60
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.direction": "out",
    "legend.frameon": False,
    "svg.hashsalt": "mlsemi",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


class Picture(Figure):
    """A figure that shows itself in a notebook, without pyplot."""

    def _repr_png_(self) -> bytes:
        """PNG of 1.5 times the size of a screen's dots."""
        with BytesIO() as stream, _drawing():
            self.savefig(stream, format="png", dpi=144)
            return stream.getvalue()


def check_format(path: str | os.PathLike[str]) -> None:
    """Refuse a file name whose extension is not one of ``FORMATS``.

    Parameters
    ----------
    path : path

    Raises
    ------
    InputError
        Naming the extensions allowed.
    """
    if Path(path).suffix.lower().lstrip(".") not in FORMATS:
        raise InputError(f"{path}: a plot is saved as one of .{', .'.join(FORMATS)}")


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Save a figure; the file appears complete or not at all and holds no date.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path
        Ends in png, svg or pdf.

    Raises
    ------
    InputError
        If the extension is not allowed or the file cannot be written.
    """
    check_format(path)
    kind = Path(path).suffix.lower().lstrip(".")
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with complete_or_absent(path) as temporary, _drawing():
        figure.savefig(temporary, format=kind, dpi=300, metadata=undated)


@contextmanager
def _drawing() -> Iterator[None]:
    """The style; characters of a title that the font lacks become boxes, without a word."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


def svg(figure: Figure) -> str:
    """A figure as the text of an ``<svg>`` element, for a page."""
    with StringIO() as stream, _drawing():
        figure.savefig(stream, format="svg", metadata={"Date": None})
        text = stream.getvalue()
    return text[text.index("<svg") :]


def levels_figure(energies_ev: np.ndarray, n_occupied: int, title: str = "") -> Figure:
    """Orbital energies as lines, occupied and empty, around the gap.

    Parameters
    ----------
    energies_ev : (n_orbital,) array
        Ascending, eV.
    n_occupied : int
        Doubly occupied orbitals.
    title : str
        Text above the figure.
    """
    with mpl.rc_context(STYLE):
        figure, axes = figure_of(2.4, 3.2)
        for levels, color, label in (
            (energies_ev[n_occupied:], STICKS, "empty"),
            (energies_ev[:n_occupied], CURVE, "occupied"),
        ):
            axes.hlines(levels, 0.0, 1.0, color=color, lw=1.0, label=label)
        gap = energies_ev[max(0, n_occupied - LEVELS_BELOW) : n_occupied + LEVELS_ABOVE]
        margin = 0.05 * float(np.ptp(gap)) or 1.0
        axes.set_ylim(float(gap[0]) - margin, float(gap[-1]) + margin)
        axes.set_xlim(-0.2, 1.2)
        axes.set_xticks([])
        axes.set_ylabel("orbital energy / eV")
        for side in ("top", "bottom"):
            axes.spines[side].set_visible(False)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, fontsize=7)
        figure.suptitle(title_of(title), fontsize=9, parse_math=False)
    return figure


def learning_curve_figure(
    sizes: np.ndarray, errors: Mapping[str, np.ndarray], ylabel: str
) -> Figure:
    """Test error against the number of training molecules, both axes logarithmic.

    Parameters
    ----------
    sizes : (n_size,) array
        Training-set sizes.
    errors : mapping of str to (n_size,) array
        One curve per label.
    ylabel : str
        Error and its unit.
    """
    with mpl.rc_context(STYLE):
        figure, axes = figure_of(3.4, 2.8)
        for (label, values), color in zip(errors.items(), _colors(len(errors)), strict=True):
            axes.loglog(sizes, values, "o-", color=color, label=label, ms=4, lw=1.2)
        axes.set_xlabel("training molecules")
        axes.set_ylabel(ylabel)
        axes.set_xticks(np.asarray(sizes), [f"{size:g}" for size in sizes])
        axes.xaxis.set_minor_locator(ticker.NullLocator())
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
        axes.grid(which="major", alpha=0.25, lw=0.6)
        axes.spines["top"].set_visible(False)
        axes.legend()
    return figure


def parity_figure(panels: Mapping[str, tuple[np.ndarray, np.ndarray]], unit: str) -> Figure:
    """Prediction against reference, one square panel per quantity, with its mean absolute error.

    Parameters
    ----------
    panels : mapping of str to (reference, predicted)
        Two arrays of equal length per title.
    unit : str
        Unit of every panel.
    """
    with mpl.rc_context(STYLE):
        figure, first = figure_of(2.6 * len(panels), 2.8, len(panels))
        for axes, (title, (reference, predicted)) in zip(figure.axes, panels.items(), strict=True):
            low = float(min(np.min(reference), np.min(predicted)))
            high = float(max(np.max(reference), np.max(predicted)))
            margin = 0.05 * (high - low) or 1.0
            limits = (low - margin, high + margin)
            axes.plot(limits, limits, color=INK, lw=0.7)
            axes.plot(
                reference, predicted, ".", color=CURVE, ms=3, alpha=0.5, mew=0, rasterized=True
            )
            axes.set(xlim=limits, ylim=limits, aspect="equal", title=title)
            axes.set_xlabel(f"reference / {unit}")
            error = float(np.mean(np.abs(np.asarray(predicted) - np.asarray(reference))))
            note = f"MAE {error:.3g} {unit}"
            axes.text(0.05, 0.95, note, transform=axes.transAxes, va="top")
            axes.spines["top"].set_visible(False)
        first.set_ylabel(f"predicted / {unit}")
    return figure


def title_of(text: str) -> str:
    """One line that fits and can be drawn, of any text, the names of files included."""
    line = " ".join(text.encode(errors="replace").decode().split())
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1] + "…"


def figure_of(width: float, height: float, n_column: int = 1) -> tuple[Figure, Axes]:
    """A figure of this size, in inches, and the first of its panels."""
    figure = Picture(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, n_column, squeeze=False)
    return figure, axes[0, 0]


def _colors(count: int) -> list[str]:
    return [CYCLE[index % len(CYCLE)] for index in range(count)]


def training_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """Losses and validation errors over the epochs of one training run.

    Parameters
    ----------
    history : sequence of mapping
        One row per epoch, as ``mlsemi train`` records them; what is not there is not drawn.
    """
    epochs = np.arange(1, len(history) + 1)
    panels = {
        "loss / eV$^2$": {"training": "loss", "validation": "validation_loss"},
        "validation error / eV": {
            "occupied": "validation_occupied_ev",
            "HOMO": "validation_homo_ev",
            "LUMO": "validation_lumo_ev",
        },
        "charge error / e": {"training": "charges_e", "validation": "validation_charges_e"},
    }
    with mpl.rc_context(STYLE):
        figure, _ = figure_of(7.8, 2.6, len(panels))
        for axes, (ylabel, curves) in zip(figure.axes, panels.items(), strict=True):
            for color, (label, key) in zip(_colors(len(curves)), curves.items(), strict=True):
                if all(key in row for row in history):
                    axes.semilogy(epochs, [row[key] for row in history], color=color, label=label)
            axes.set_xlabel("epoch")
            axes.set_ylabel(ylabel)
            axes.legend(frameon=False)
    return figure


def distribution_figure(quantities: Mapping[str, np.ndarray]) -> Figure:
    """Histograms side by side, three in a row.

    Parameters
    ----------
    quantities : mapping of str to array
        Label with its unit, and values; values on integers get one bar each.
    """
    n_row = -(-len(quantities) // 3)
    with mpl.rc_context(STYLE):
        figure = Picture(figsize=(7.8, 2.2 * n_row), layout="constrained")
        for place, (label, values) in enumerate(quantities.items(), 1):
            axes = figure.add_subplot(n_row, 3, place)
            bins: Any = 30
            if np.issubdtype(values.dtype, np.integer):
                bins = np.arange(values.min(), values.max() + 2) - 0.5
            axes.hist(values, bins, color=CURVE, alpha=0.8)
            axes.set_xlabel(label)
            axes.spines["top"].set_visible(False)
            axes.locator_params(axis="y", integer=True, nbins=5)
    return figure
