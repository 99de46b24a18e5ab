"""The limits of a parameter set: old | new | limit | verdict, exit status 1 if a row fails.

    python validation/judge.py [--fast] [--parameters NAME|PATH] [--against NAME|PATH]

Accuracy on held-out molecules, symmetry, derivatives, stored results, molecules side by side, speed
beside GFN2-xTB in the same run (`measured.py`). Limits stand in judge.toml (`verdicts.py`); a set
without a table there is measured by that of the default set. Rows that are known to fail may not
get worse, and say so when they are mended. `--fast` leaves out what takes minutes. `--against` puts
the results of another set in place of the stored figures. `--record` keeps the results of a set as
those that must come out again (`stored_results.py`).
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import report
import stored_results
import verdicts
from measured import FAST, SLOW, Group
from threadpoolctl import threadpool_limits

from mlsemi.errors import InputError, MlsemiError
from mlsemi.outputs import check_writable, complete_or_absent
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import DEFAULT

LIMITS = report.HERE / "judge.toml"


def measure(parameters: Parameters, groups: dict[str, Group]) -> dict[str, dict[str, float] | None]:
    """Values of each group, None where the program refuses; progress on standard error."""
    out: dict[str, dict[str, float] | None] = {}
    for name, group in groups.items():
        begin, said = time.perf_counter(), ""
        try:
            with redirect_stdout(sys.stderr):  # progress bars of the scripts
                out[name] = group(parameters)
        except MlsemiError as error:
            out[name], said = None, f" refused: {error}"
        seconds = time.perf_counter() - begin
        print(f"{parameters.name}: {name}, {seconds:.1f} s{said}", file=sys.stderr)
    return out


def groups_for(chosen: Sequence[Parameters], fast: bool) -> dict[str, Group]:
    """What is measured; results can be compared only with what was kept for a set."""
    groups = FAST if fast else FAST | SLOW
    kept = all(stored_results.stored(p.name) for p in chosen)
    return {name: group for name, group in groups.items() if kept or name != "stored"}


def check_held_out(parameters: Parameters) -> None:
    """Refuse a set that may have been trained on the molecules it is measured by."""
    split = dict(parameters.header.get("training", {})).get("split", "molecule")
    if split != "molecule":
        raise InputError(f"{parameters.name}: split by {split}, so no molecule is held out")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default=DEFAULT, metavar="NAME|PATH")
    parser.add_argument("--against", metavar="NAME|PATH", help="another set, as the old values")
    parser.add_argument("--fast", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--json", type=Path, metavar="PATH", help="keep the rows")
    parser.add_argument("--record", action="store_true", help="keep results to the last bit")
    return parser.parse_args()


def main() -> int:
    """Measure, print, say what fails."""
    options = arguments()
    names = [options.parameters] + ([options.against] if options.against else [])
    chosen = [Parameters.load(name) for name in names]
    for parameters in chosen:
        check_held_out(parameters)
    if options.json:
        check_writable(options.json)
    if options.record:
        stored_results.write(chosen[0].name, stored_results.compute(chosen[0]))
    groups = groups_for(chosen, options.fast)
    with threadpool_limits(1):
        values, *other = (measure(parameters, groups) for parameters in chosen)
    limits = verdicts.load(LIMITS, chosen[0].name, Parameters.load(DEFAULT).name)
    rows = verdicts.judge(limits, values, *other)
    print(verdicts.text(rows))
    if options.json:
        about = [{"name": p.name, "checksum": p.checksum} for p in chosen]
        record = {"machine": report.machine(), "sets": about, "rows": [vars(r) for r in rows]}
        with complete_or_absent(options.json) as path:
            path.write_text(json.dumps(record, indent=2) + "\n")
    failing = [f"\n  {row.name}: {row.verdict}" for row in rows if not row.passes]
    if failing:
        print(f"{len(failing)} of {len(rows)} rows fail:{''.join(failing)}", file=sys.stderr)
    return bool(failing)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MlsemiError as error:
        sys.exit(str(error))
