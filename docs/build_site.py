"""Build the documentation site: pages of the repository, at their places, broken links as errors.

Links between pages are those of the repository, so that they work there and on the site.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "build" / "site-source"
FOLDERS = ("docs", "validation", "parameters", "mlsemi")
KINDS = {".md", ".png", ".svg", ".py", ".toml", ".smi", ".xml", ".ipynb"}


def gather() -> int:
    """Copy every page, and every file of a kind that pages link to; how many."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    files = [path for path in ROOT.iterdir() if path.suffix in {".md", ".cff"}]
    for folder in FOLDERS:
        files += [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix in KINDS]
    for path in [*files, ROOT / "LICENSE"]:
        target = SOURCE / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return len(files)


if __name__ == "__main__":
    print(gather(), "files")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--clean"]
    sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)
