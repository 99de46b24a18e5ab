"""What a command loads: a job of a small molecule is over before a slow library is imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "benzene.xyz"

SLOW = {
    *("scipy.constants", "scipy.fft", "scipy.integrate", "scipy.optimize", "scipy.spatial"),
    *("scipy.sparse.linalg", "scipy.stats", "ase.io", "ase.calculators", "ase.neighborlist"),
    *("sklearn", "matplotlib", "h5py", "pyscf", "rdkit", "tblite", "dftd4", "pandas", "torch"),
    *("dask", "distributed", "loky", "rich", "multiprocessing"),
    *("mlsemi.calculator", "mlsemi.nuclei", "mlsemi.training"),
}


@pytest.mark.parametrize(
    ("arguments", "slow"),
    [
        (["--help"], {*SLOW, "numpy", "scipy", "numba", "ase"}),
        (["run", str(EXAMPLE), "--json", "-"], SLOW),
        (["run", str(EXAMPLE), "--forces", "--singlets", "3"], SLOW - {"scipy.sparse.linalg"}),
    ],
)
def test_what_a_command_does_not_load(arguments, slow):
    code = f"""
import json, sys
from mlsemi.cli import main
sys.argv = ["mlsemi", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code
sys.stderr.write(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "mlsemi.cli.commands" in loaded
    assert loaded & slow == set()
