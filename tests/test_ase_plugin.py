"""ASE finds the calculator and the results by name."""

import inspect
import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.calculator import get_calculator_class
from ase.io import read
from ase.io.formats import define_external_io_format, filetype, ioformats

import mlsemi
from mlsemi.formats import read_structures

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
GROUP = "ase.ioformats"


@pytest.fixture(scope="module", autouse=True)
def plugin():
    """What ASE does with the entry points of installed packages."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    ((name, value),) = declared[GROUP].items()
    if name not in ioformats:
        define_external_io_format(EntryPoint(name, value, GROUP))


def test_the_calculator_has_a_name(folder):
    made = get_calculator_class("mlsemi")(parameters=folder, charge=2)
    assert isinstance(made, mlsemi.MLSemi)
    assert made.parameters["charge"] == 2


def test_results_are_a_file_format(tmp_path, folder):
    water, ethene = molecule("H2O"), molecule("C2H4")
    records = [
        mlsemi.singlepoint(water, parameters=folder, forces=True),
        mlsemi.singlepoint(ethene, parameters=folder, charge=2),
    ]
    path = tmp_path / "results.json"
    path.write_text("\n".join(json.dumps(r.to_dict()) for r in records) + "\n")
    assert filetype(str(path)) == "mlsemi"
    one, two = read(path, ":")
    assert np.abs(one.positions - water.positions).max() < 1e-12
    assert two.info["charge"] == 2
    atoms = molecule("H2O")
    atoms.calc = mlsemi.MLSemi(folder)
    assert one.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    assert np.abs(one.get_forces() - atoms.get_forces()).max() < 1e-9
    assert np.abs(one.get_charges() - atoms.get_charges()).max() < 1e-9
    assert np.abs(one.get_dipole_moment() - atoms.get_dipole_moment()).max() < 1e-9
    assert read(path).info["charge"] == 2  # the last, as of any format
    assert [s.charge for s in read_structures(path)] == [0, 2]


def test_what_ase_imports_is_quick():
    """Every ``ase.io.read`` of an environment with mlsemi pays for it."""
    code = (
        "import sys, ase.io, mlsemi.ase_plugin\n"
        "print([name for name in ('numba', 'scipy.linalg', 'matplotlib') if name in sys.modules])"
    )
    before = "import sys, ase.io\n" + code.splitlines()[1]
    plain, with_plugin = (
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        for text in (before, code)
    )
    assert with_plugin.stdout == plain.stdout


def test_the_signature_says_the_keywords():
    shown = inspect.signature(mlsemi.MLSemi).parameters
    assert list(shown) == [*mlsemi.MLSemi.default_parameters, "keywords"]
    for name, value in mlsemi.MLSemi.default_parameters.items():
        assert shown[name].default == value
    assert shown["parameters"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert shown["charge"].kind is inspect.Parameter.KEYWORD_ONLY
