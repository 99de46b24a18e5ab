"""Write `mlsemi/molecule/dispersion.json`, what D4 knows about elements and density functionals.

    pip install --no-deps tad-dftd4==0.8.0 tad-multicharge==0.7.0 tad-mctc==0.11.3 dftd4==4.3.1
    python parameters/dispersion_tables.py

The numbers are published: reference systems, their dynamic polarisabilities, hardnesses, charges
and damping parameters by Caldeweyher, Ehlert, Hansen, Neugebauer, Spicher, Bannwarth and Grimme,
J. Chem. Phys. 150, 154122 (2019), parameters of later functionals by those whom the list of dftd4
names. They are read from its authors' packages (Apache 2.0 and LGPL 3), whose files are parsed and
not run. What the partners in a reference system contribute (hydrogen, mostly) is subtracted here,
as the method says; the element's own part at 23 imaginary frequencies is kept.
"""

from __future__ import annotations

import ast
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mlsemi.kernels.dispersion import HEIGHT, STEEPNESS
from mlsemi.molecule.dispersion_tables import FILE
from mlsemi.molecule.elements import VALENCE, symbol
from mlsemi.units import BOHR_ANGSTROM

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES = ("s6", "s8", "s9", "a1", "a2")


def installed(package: str, *path: str) -> Path:
    """A file of an installed package."""
    found = find_spec(package)
    assert found is not None, f"{package} is not installed"
    assert found.origin is not None
    return Path(found.origin).parent.joinpath(*path)


def constant(path: Path, name: str) -> np.ndarray:
    """Array that a file assigns to a name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            value = node.value.args[0] if isinstance(node.value, ast.Call) else node.value
            code = compile(ast.Expression(value), str(path), "eval")
            return np.array(eval(code, {"__builtins__": {}}), dtype=float)
    raise KeyError(name)


def rounded(values: object) -> list[float]:
    """Eleven digits."""
    return [float(f"{value:.11g}") for value in np.atleast_1d(np.asarray(values, dtype=float))]


def references(number: int, hardness: np.ndarray, core: np.ndarray) -> list[dict[str, object]]:
    """Reference systems of an element."""
    tables = installed("tad_dftd4", "reference", "d4", "params.py")
    charges = installed("tad_dftd4", "reference", "d4", "charge_eeq.py")
    cn, alpha, scale, count, partner, gaussians, part, partner_alpha = (
        constant(tables, name)
        for name in (
            *("refcovcn", "refalpha", "refascale", "refscount"),
            *("refsys", "refc", "secscale", "secalpha"),
        )
    )
    own_charge, partner_charge = constant(charges, "clsq"), constant(charges, "clsh")
    found: list[dict[str, object]] = []
    for r in np.flatnonzero(gaussians[number]):
        p = int(partner[number, r])
        ratio = core[p] / (core[p] + partner_charge[number, r])
        zeta = np.exp(HEIGHT * (1.0 - np.exp(STEEPNESS * hardness[p] * (1.0 - ratio))))
        theirs = count[number, r] * part[p] * partner_alpha[p] * zeta
        own = np.maximum(scale[number, r] * (alpha[number, r] - theirs), 0.0)
        found.append(
            {
                "coordination": float(cn[number, r]),
                "charge": float(own_charge[number, r]),
                "gaussians": int(gaussians[number, r]),
                "polarisability": rounded(own),
            }
        )
    return found


def main() -> None:
    """Gather the tables of all elements of the valence basis, and write them."""
    mctc = installed("tad_mctc", "data")
    hardness = constant(mctc / "hardness.py", "_GAM")
    core = constant(mctc / "zeff.py", "_ZEFF")
    r4_over_r2 = constant(installed("tad_dftd4", "data", "r4r2.py"), "_r4_over_r2")
    charges = installed("tad_multicharge", "param", "eeq2019.py")
    columns = {
        "radius": 4.0 / 3.0 * constant(mctc / "radii.py", "_COV_2009") / BOHR_ANGSTROM,
        "electronegativity": constant(mctc / "en.py", "_PAULING"),
        "moment": np.sqrt(0.5 * r4_over_r2 * np.sqrt(np.arange(r4_over_r2.size))),
        "hardness": hardness,
        "core": core,
        "chi": constant(charges, "chi"),
        "eta": constant(charges, "eta"),
        "pull": constant(charges, "kcn"),
        "width": constant(charges, "rad"),
    }
    rows = []
    for number in VALENCE:
        row = {name: rounded(column[number])[0] for name, column in columns.items()}
        systems = ",\n  ".join(json.dumps(one) for one in references(number, hardness, core))
        text = json.dumps(row)[:-1] + f', "references": [\n  {systems}]}}'
        rows.append(f'"{symbol(number)}": {text}')
    listed = tomllib.loads(installed("dftd4", "parameters.toml").read_text())
    usual = listed["default"]["parameter"]["d4"]["bj-eeq-atm"]
    functionals = {}
    for name, entry in listed["parameter"].items():
        values = usual | entry.get("d4", {}).get("bj-eeq-atm", {})
        if "a1" in values and values["alp"] == 16.0:
            plain = name.lower().replace("-", "").replace("_", "")
            functionals[plain] = [float(values[key]) for key in NAMES]
    elements = ",\n".join(rows)
    listing = ",\n".join(f'"{name}": {json.dumps(one)}' for name, one in functionals.items())
    text = f'{{"elements": {{\n{elements}}},\n"functionals": {{\n{listing}}}}}\n'
    FILE.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
