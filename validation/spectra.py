"""Spectra of five chromophores beside measured band positions.

    python validation/spectra.py --parameters organic-1

The figures are those of `mlsemi spectrum NAME.xyz --max-ev E --axis ev --plot NAME.png`. States
closer than 0.02 eV are one level, bright if its oscillator strengths sum to more than 0.03.
Transitions that are forbidden by symmetry and seen through vibrations are compared with the lowest
singlet. Geometries: GFN2-xTB. Measured positions are maxima, with the shift of the solvent in them
where no vapour was measured:

- indigo: 610 nm in ethanol (H. Zollinger, Color Chemistry, VCH 1991);
- beta-carotene: 450 nm in hexane (G. Britton, FASEB J. 9, 1551 (1995));
- C60: 328, 256 and 211 nm in hexane, lowest singlet about 1.9 eV (V. S. Pavlovich, E. M.
  Shpilevsky, J. Appl. Spectrosc. 77, 335 (2010); S. Leach et al., Chem. Phys. 160, 451 (1992));
- porphin: 1.98, 2.42 and 3.33 eV in the vapour (L. Edwards, D. H. Dolphin, M. Gouterman, A. D.
  Adler, J. Mol. Spectrosc. 38, 16 (1971));
- p-nitroaniline: 4.24 eV, gas phase (S. Millefiori, G. Favini, A. Millefiori, D. Grasso,
  Spectrochim. Acta A 33, 21 (1977)).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse

import numpy as np
import report
from rich.progress import track

from mlsemi import singlepoint
from mlsemi.cli.work.jobs import plot_spectrum
from mlsemi.draw.spectrum import spectrum
from mlsemi.molecule.formats import read_structures
from mlsemi.parameters import Parameters
from mlsemi.result import Result
from mlsemi.units import EV_NM, HARTREE_EV

DOCS = report.HERE.parent / "docs"
WIDTH_EV, LEAST, SAME_EV = 0.4, 0.03, 0.02
BRIGHT = ("first bright", "second bright", "third bright")
MEASURED = {
    "indigo": (4.5, {"first bright": EV_NM / 610.0}),
    "beta-carotene": (4.5, {"first bright": EV_NM / 450.0}),
    "C60": (
        6.8,
        {"lowest": 1.9} | dict(zip(BRIGHT, EV_NM / np.array([328, 256, 211]), strict=True)),
    ),
    "porphin": (4.0, {"lowest": 1.98, "second": 2.42, "brightest": 3.33}),
    "p-nitroaniline": (6.0, {"first bright": 4.24}),
}
"""Highest energy of the calculation and what was measured, eV."""


def found(result: Result) -> dict[str, float]:
    """What the names of ``MEASURED`` mean in a calculated spectrum, eV."""
    states = result.singlets
    assert states is not None
    energies = HARTREE_EV * states.energies
    first = np.flatnonzero(np.diff(energies, prepend=-1.0) > SAME_EV)
    strengths = np.add.reduceat(states.oscillator_strengths, first)
    names = dict(zip(BRIGHT, energies[first][strengths > LEAST], strict=False))
    names["brightest"] = energies[np.argmax(states.oscillator_strengths)]
    return names | {"lowest": float(energies[0]), "second": float(energies[1])}


def main() -> None:
    """Compute, write docs/images/*.png, spectra.md and spectra.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    options = parser.parse_args()
    parameters = Parameters.load(options.parameters)
    rows, data = [], {}
    for name, (highest, bands) in track(MEASURED.items(), "molecules", transient=True):
        structure = read_structures(DOCS / "examples" / f"{name}.xyz")[0]
        result = singlepoint(structure, parameters=parameters, max_energy=highest / HARTREE_EV)
        assert result.singlets is not None
        curve = spectrum(result.singlets, WIDTH_EV)
        plot_spectrum(curve, DOCS / "images" / f"{name}.png", "ev", False, name)
        inside = not any("training domain" in text for text in result.warnings)
        ours = found(result)
        for kind, measured in bands.items():
            value = ours.get(kind, float("nan"))
            known = np.isfinite(value)
            cells = [f"{value:.2f}", f"{value - measured:+.2f}"] if known else ["none", ""]
            rows.append([name, kind, f"{measured:.2f}", *cells])
            row = {"measured_ev": measured, "found_ev": value, "inside_domain": inside}
            data[f"{name}, {kind}"] = row
    errors = {key: abs(row["found_ev"] - row["measured_ev"]) for key, row in data.items()}
    trusted = [error for key, error in errors.items() if data[key]["inside_domain"]]
    sections = [
        __doc__.split("\n\n", 2)[2].strip(),
        report.table(["molecule", "transition", "measured / eV", "mlsemi / eV", "error"], rows),
        f"Mean absolute difference {np.nanmean(list(errors.values())):.2f} eV; "
        f"{np.nanmean(trusted):.2f} eV for the molecules without a warning "
        "that they are outside the training domain.",
        *(f"![{name}](../docs/images/{name}.png)" for name in MEASURED),
    ]
    used = {"name": parameters.name, "checksum": parameters.checksum}
    report.write("spectra", "Spectra of five chromophores", sections, {"parameters": used} | data)


if __name__ == "__main__":
    main()
