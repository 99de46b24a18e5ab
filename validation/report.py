"""How a validation result is kept: JSON and Markdown beside the script, with the machine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = ("mlsemi", "numpy", "scipy", "numba", "tblite", "pyscf", "rdkit", "ase")


def machine() -> dict[str, object]:
    """Processor, load and versions of everything that took part."""
    versions = {}
    for name in PROGRAMS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "from the checkout" if name == "mlsemi" else "not installed"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def write(
    name: str,
    title: str,
    sections: Sequence[str],
    data: dict[str, object],
    script: str | None = None,
) -> None:
    """Write ``validation/NAME.md`` and ``NAME.json`` and print the former.

    ``script`` is what has made them, if it has another name.
    """
    where = machine()
    versions = ", ".join(f"{key} {value}" for key, value in dict(where["versions"]).items())
    foot = (
        f"Machine: {where['processor']}, {where['cores']} cores, load {where['load']}; "
        f"Python {where['python']}, {versions}. Made by `python validation/{script or name}.py`."
    )
    text = "\n\n".join([f"# {title}", *sections, foot]) + "\n"
    (HERE / f"{name}.md").write_text(text)
    payload = json.dumps({"machine": where} | data, indent=2)
    (HERE / f"{name}.json").write_text(payload + "\n")
    print(text)
