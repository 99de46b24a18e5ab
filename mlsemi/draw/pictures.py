"""What a result looks like: the figure of its spectrum or levels, and a card for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.figure import Figure

from mlsemi.draw.absorption import spectrum_figure
from mlsemi.draw.colour import solution_colour
from mlsemi.draw.measured import Measured
from mlsemi.draw.plots import levels_figure, svg
from mlsemi.draw.skeleton import skeleton
from mlsemi.draw.spectrum import Spectrum, spectrum
from mlsemi.errors import InputError
from mlsemi.units import AU_DEBYE, HARTREE_EV

if TYPE_CHECKING:
    from mlsemi.result import Result

FAINT = 2e-3
"""Share of the largest absorption below which the far end of a curve is left out: on a wavelength
axis it would fill the figure with nothing."""
WIDTH_EV = 0.4


def spectrum_picture(
    curves: Spectrum,
    axis: Literal["ev", "nm"] = "nm",
    cd: bool = False,
    title: str = "",
    whole: bool = False,
    measured: Measured | None = None,
    named: bool = True,
) -> Figure:
    """Figure of a spectrum.

    Parameters
    ----------
    curves : Spectrum
    axis : "ev" or "nm"
        Unit of the lower axis.
    cd : bool
        Circular dichroism instead of absorption.
    title : str
    whole : bool
        Show all of the curve, even where nothing is.
    measured : Measured, optional
        Drawn too.
    named : bool
        Write the names of the strongest states; they are those of one geometry.
    """
    values = curves.delta_extinction if cd else curves.extinction
    large = np.abs(values) > FAINT * np.abs(values).max()
    first = 0
    if large.any() and not whole:
        near = np.searchsorted(curves.energies_ev, curves.stick_energies_ev.min())
        first = min(int(large.argmax()), int(near))
    shown = slice(first, None)
    return spectrum_figure(
        curves.energies_ev[shown],
        values[shown],
        curves.stick_energies_ev,
        curves.rotatory_strengths_1e40_cgs if cd else curves.oscillator_strengths,
        axis=axis,
        cd=cd,
        title=title,
        complete_ev=curves.complete_ev,
        labels=[f"S{k}" for k in range(1, len(curves.stick_energies_ev) + 1)] if named else (),
        measured=measured,
        colour=None if cd else solution_colour(curves),
    )


def picture(result: Result) -> Figure:
    """Absorption spectrum if the result has states that absorb, else its levels."""
    states = result.absorbing
    if states is not None and states.n_state and states.energies[-1] > 0.0:
        return spectrum_of(result)
    return levels_of(result)


def spectrum_of(result: Result, width_ev: float = WIDTH_EV, cd: bool = False) -> Figure:
    """Absorption or circular dichroism of a result.

    Parameters
    ----------
    result : Result
    width_ev : float
        Full width at half maximum.
    cd : bool
        Circular dichroism instead of absorption.

    Raises
    ------
    InputError
        If it has none.
    """
    if result.absorbing is None:
        kind = "doublets" if result.structure.multiplicity == 2 else "singlets"
        raise InputError(f"this result has no {kind}; ask for some: singlepoint(..., {kind}=20)")
    title = result.name or result.structure.formula
    return spectrum_picture(spectrum(result.absorbing, width_ev), cd=cd, title=title)


def levels_of(result: Result) -> Figure:
    """Orbital energies of a result around its gap."""
    levels = result.state.energies * HARTREE_EV
    return levels_figure(levels, result.state.n_occupied, result.structure.formula)


def card(result: Result) -> str:
    """HTML of a small table, the molecule and, of states that absorb, their spectrum."""
    homo, lumo = result.frontier
    rows = {
        "energy": "-" if result.energy is None else f"{result.energy * HARTREE_EV:.4f} eV",
        "gap": f"{(lumo - homo) * HARTREE_EV:.3f} eV",
        "dipole": f"{np.linalg.norm(result.dipole) * AU_DEBYE:.3f} D",
        "charge": f"{result.structure.charge:+d}" if result.structure.charge else "0",
        "parameters": f"{result.parameters.name} ({result.parameters.checksum[:8]})",
    }
    for name, states in result.excited.items():
        if states.n_state:
            first = states.energies[0] * HARTREE_EV
            rows[name] = f"{states.n_state}, the lowest at {first:.3f} eV"
    rows |= {f"warning {k}": text for k, text in enumerate(result.warnings, start=1)}
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(key)}</th>"
        f"<td style='text-align:left'>{escape(text)}</td></tr>"
        for key, text in rows.items()
    )
    drawn = svg(picture(result)) if {"singlets", "doublets"} & set(rows) else ""
    molecule = skeleton(result.structure, result.bond_orders)
    beside = "display:flex;flex-wrap:wrap;align-items:center;gap:2em"
    title = escape(result.name or result.structure.formula)
    table = f"<div><b>{title}</b><table>{cells}</table></div>"
    return f"<div><div style='{beside}'>{table}{molecule}</div>{drawn}</div>"
