"""Give a parameter set constants of the response to charge and spin of its own.

    python parameters/add_response.py organic-1.0 parameters/organic-1.1

The first is the name or the folder of a finished set, the second the folder of the new one. Levels,
energies and forces of neutral closed shells stay bit for bit what they were.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from mlsemi.parameters import Parameters
from mlsemi.sets.releases import check_unreleased
from mlsemi.training.calibration.response_fit import with_fitted_response
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.exclusion import is_excluded, read_hashes
from mlsemi.training.data.vertical import load_vertical

REFERENCE = Path(__file__).parent / "reference"


def main() -> None:
    """Fit and write."""
    known, output = Parameters.load(sys.argv[1]), Path(sys.argv[2])
    check_unreleased(output)
    excluded = read_hashes(REFERENCE / "excluded.txt")
    ions = ReferenceDataset.load(*sorted(REFERENCE.glob("ions*.h5")))
    kept = tuple(record for record in ions if not is_excluded(record.molecule, excluded))
    opened = [
        one
        for path in sorted(REFERENCE.glob("vertical*.json"))
        for one in load_vertical(path)
        if not is_excluded(one.molecule, excluded)
    ]

    def report(step: int, loss: float) -> None:
        print(f"{step:4d}  {loss:.4f} eV^2", file=sys.stderr, flush=True)

    made = with_fitted_response(known, ReferenceDataset(kept, ions.provenance), opened, report)
    replace(made, name=output.name).save(output)


if __name__ == "__main__":
    main()
