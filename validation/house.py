"""The house in numbers: files a folder, lines, arrows between folders, files that name a weight.

    python validation/house.py bf549fc 3cc85a5 HEAD

Counts of the package at some commits of this repository. Needs git.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import PurePosixPath

import numpy as np
import report

NAMES = (
    "two_center",
    "onsite",
    "energy.atom",
    "energy.pair",
    "energy.in",
    "energy.out",
    "dipole.atom",
    "dipole.sp",
    "domain.center",
    "domain.spread",
    "domain.limit",
    "message.radial",
    "bond.scale",
    "bond.out",
    "density.",
    "triple.",
)
"""Weights whose names are no words that stand for other things too (a level, a charge); a number
follows those that end in a point."""

Sources = dict[PurePosixPath, ast.Module]


def sources(commit: str) -> tuple[Sources, dict[PurePosixPath, int]]:
    """Syntax trees of all modules of the package, and how many lines each has."""
    command = ["git", "-C", str(report.HERE.parent), "archive", commit, "mlsemi"]
    packed = subprocess.run(command, check=True, capture_output=True).stdout
    trees: Sources = {}
    lines = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            file = archive.extractfile(member)
            if file is not None and path.suffix == ".py" and path.name != "__init__.py":
                text = file.read().decode()
                trees[path], lines[path] = ast.parse(text), len(text.splitlines())
    return trees, lines


def arrows(trees: Sources) -> set[tuple[str, str]]:
    """Pairs of folders of which a file in the first imports one in the second."""
    known = {".".join(path.with_suffix("").parts): str(path.parent) for path in trees}
    found = set()
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    for name in (f"{node.module}.{alias.name}", str(node.module)):
                        if name in known:
                            found.add((str(path.parent), known[name]))
    return {(a, b) for a, b in found if a != b}


def holders(trees: Sources, name: str) -> int:
    """Number of files in which the name of a weight stands."""
    return sum(
        any(isinstance(node, ast.Constant) and node.value == name for node in ast.walk(tree))
        for tree in trees.values()
    )


def counted(commit: str) -> dict[str, object]:
    """All counts of one commit."""
    trees, lines = sources(commit)
    short = ["git", "-C", str(report.HERE.parent), "rev-parse", "--short", commit]
    folders = Counter(str(path.parent) for path in trees)
    between = arrows(trees)
    both = {frozenset(pair) for pair in between if pair[::-1] in between and "mlsemi" not in pair}
    places = [n for n in (holders(trees, name) for name in NAMES) if n]
    return {
        "commit": subprocess.run(short, check=True, capture_output=True, text=True).stdout.strip(),
        "files": len(trees),
        "folders": len(folders),
        "most files in a folder": max(folders.values()),
        "lines": sum(lines.values()),
        "median of a file": int(np.median(list(lines.values()))),
        "longest file": max(lines.values()),
        "arrows between folders": len(between),
        "rooms that import each other": len(both),
        "files that name a weight, mean": round(float(np.mean(places)), 1),
        "most": max(places),
    }


def main() -> None:
    """Count and write the table."""
    rows = [counted(commit) for commit in sys.argv[1:]]
    head = list(rows[0])
    about = (
        "Python files of the package at some commits. An arrow: a file of one folder imports one "
        "of another; files at the top are facts below all rooms and doors above them, and no room "
        "for the count of those that import each other. Names of weights: those that are no "
        "words for other things too; linear and kernel models share some with learned ones, in "
        "files of their own."
    )
    table = report.table(["", *(str(row["commit"]) for row in rows)], [
        [key, *(row[key] for row in rows)] for key in head[1:]
    ])  # fmt: skip
    report.write("house", "The house in numbers", [about, table], {"rows": rows})


if __name__ == "__main__":
    main()
