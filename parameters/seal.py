"""Seal the header of a parameter set that an earlier version of mlsemi has written.

    python parameters/seal.py FOLDER...

Entries stay as they are: look at them first. What the weights are is checked by loading the set.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mlsemi.header import sealed
from mlsemi.parameters import Parameters

for folder in map(Path, sys.argv[1:]):
    path = folder / "header.json"
    header = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(sealed(header), indent=2) + "\n", encoding="utf-8")
    print(f"{folder}: {Parameters.load(folder).checksum[:8]} sealed")
