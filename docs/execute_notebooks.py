"""Execute the notebooks of the documentation: in place, or with ``--check`` beside what they hold.

Cells run in this process as plain Python, and what they show is formatted as Jupyter does. Pictures
are not compared, text is, numbers to the last digit but one: machines round differently.
"""

import ast
import base64
import os
import re
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_output

NUMBER = re.compile(r"\d+(?:\.\d+)?")
FOLDER = Path(__file__).parent / "notebooks"


def outputs_of(source: str, names: dict[str, Any]) -> list[nbformat.NotebookNode]:
    """What a cell prints, and its last expression."""
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed, value = StringIO(), None
    with redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    out = []
    if text := printed.getvalue():
        out.append(new_output("stream", name="stdout", text=text))
    if value is not None:
        data, _ = DisplayFormatter().format(value)
        for kind, shown in data.items():
            data[kind] = base64.b64encode(shown).decode() if isinstance(shown, bytes) else shown
        out.append(new_output("execute_result", data=data))
    return out


def executed(path: Path) -> nbformat.NotebookNode:
    """A notebook with fresh outputs; whatever it writes goes to a folder that is removed."""
    notebook, names, before = nbformat.read(path, as_version=4), {}, Path.cwd()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for number, cell in enumerate(cells, 1):
                cell.outputs, cell.execution_count = outputs_of(cell.source, names), number
                for out in cell.outputs:
                    if out.output_type == "execute_result":
                        out.execution_count = number
        finally:
            os.chdir(before)
    return notebook


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    """What every code cell prints or shows in words."""
    return [
        "".join(out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in outputs)
        for outputs in (cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    ]


def same(old: str, new: str) -> bool:
    """Whether two texts are the same but for a unit or two in the last digits of numbers."""
    if NUMBER.split(old) != NUMBER.split(new):
        return False
    for one, other in zip(NUMBER.findall(old), NUMBER.findall(new), strict=True):
        decimals = len(one.partition(".")[2])
        if round(abs(float(one) - float(other)) * 10**decimals) > (2 if decimals else 0):
            return False
    return True


def differences(path: Path, fresh: nbformat.NotebookNode) -> list[str]:
    """Cells of a stored notebook that say something else now."""
    pairs = zip(texts(nbformat.read(path, as_version=4)), texts(fresh), strict=True)
    return [
        f"cell {k}:\n{old}\nis now\n{new}"
        for k, (old, new) in enumerate(pairs, 1)
        if not same(old, new)
    ]


def main(check: bool) -> int:
    """Execute all; the status is 1 where a stored notebook says something else."""
    status = 0
    for path in sorted(FOLDER.glob("*.ipynb")):
        fresh = executed(path)
        if not check:
            nbformat.validate(fresh)
            path.write_text(nbformat.writes(fresh) + "\n", encoding="utf-8")
            continue
        found = differences(path, fresh)
        print(path.name, *(found or ["as stored"]), sep="\n")
        status = status or bool(found)
    return int(status)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
