"""Fit the constants of the excited states of a parameter set and write them into its header.

Elements that only the TDA-ris singlets of ``reference/singlets*.h5`` hold (F, S, Cl) get their
constants from those, and so does the factor of the transition moments. The validation molecules
calibrate the uncertainties of excitation energies afterwards.

    python parameters/calibrate_excitations.py organic-1

Run it again after every training: the constants make up for what the orbitals and a monopole
interaction miss on average, so they belong to one set of weights. The reference is
``reference/excitations*.h5``, and for larger pi systems the TDA-ris singlets of
``reference/conjugated.h5`` (see ``reference/README.md``). One number comes from published
excitation energies: the shift of the reference's triplets (``FitOptions.triplet_shift``).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from pathlib import Path

from mlsemi.parameters import Parameters
from mlsemi.training.calibration.committee_fit import with_calibrated_excitations
from mlsemi.training.calibration.excitation_fit import FitOptions, calibrate, extend
from mlsemi.training.calibration.moment_fit import with_fitted_moment
from mlsemi.training.data.dataset import ReferenceDataset

HERE = Path(__file__).parent
DATASETS = [
    *sorted((HERE / "reference").glob("excitations*.h5")),
    HERE / "reference" / "conjugated.h5",
]
RIS_DATASETS = sorted((HERE / "reference").glob("singlets*.h5"))


def main() -> None:
    """Load, fit, save, and print what was fitted and how well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parameters", help="folder of the parameter set, or its name")
    parser.add_argument("--datasets", type=Path, nargs="+", default=DATASETS, metavar="FILE.h5")
    parser.add_argument("--free", nargs="+", default=list(FitOptions.free), metavar="CONSTANT")
    parser.add_argument("--dry-run", action="store_true", help="print only")
    options = parser.parse_args()
    folder = Path(options.parameters)
    folder = folder if (folder / "header.json").is_file() else HERE / options.parameters
    dataset = ReferenceDataset.load(*options.datasets)
    fitted = calibrate(Parameters.load(folder), dataset, FitOptions(free=tuple(options.free)))
    more = ReferenceDataset.load(*RIS_DATASETS)
    known = {symbol for record in dataset for symbol in record.structure.symbols}
    found = {symbol for record in more for symbol in record.structure.symbols}
    elements = sorted((found - known) & set(fitted.elements))
    if elements:
        fitted = extend(fitted, more, elements)
    fitted = with_fitted_moment(fitted, more)
    fitted = with_calibrated_excitations(fitted, list(dataset.split("validation")))
    if not options.dry_run:
        fitted.save(folder)
    for name, value in fitted.excitation.to_mapping(fitted.elements).items():
        print(f"{name}: {value}")
    about = fitted.header["excitation_fit"]
    parts = {
        "": about,
        f"{', '.join(elements)}: ": about.get("further_elements"),
        "strengths: ": about["strengths"],
    }
    for title, part in parts.items():
        for name, row in (part or {"errors": {}})["errors"].items():
            values = ", ".join(f"{key} {value:.3g}" for key, value in row.items())
            print(f"{title}{name}: {values}")


if __name__ == "__main__":
    main()
