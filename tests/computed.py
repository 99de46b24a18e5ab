"""Reference calculations as tests ask for them, with the cheapest names for their entries."""

from mlsemi.training.generators.surface_lists import SurfaceFile, surfaces_command
from mlsemi.training.reference.commands import reference_command
from mlsemi.training.reference.inputs import ReferenceFile
from mlsemi.training.reference.workers import Workforce


def computed(inputs, output, *, exclude=None, collect_only=False, skip=(), **entries):
    """What ``mlsemi reference INPUTS -o OUTPUT`` gives; entries of the file and of who computes."""
    names = ("processes", "scheduler", "backend", "quiet")
    by = Workforce(**{name: entries.pop(name) for name in names if name in entries})
    inputs, skip = list(map(str, inputs)), list(map(str, skip))
    asked = ReferenceFile.of(path=str(output), inputs=inputs, skip=skip, **entries)
    return reference_command(asked, by, exclude, collect_only)


def surfaces(by, inputs, output, parameters="", processes=1):
    """What ``mlsemi surfaces INPUTS -o OUTPUT`` gives."""
    inputs = tuple(map(str, inputs))
    asked = SurfaceFile(path=str(output), by=by, inputs=inputs, parameters=str(parameters))
    return surfaces_command(asked, Workforce(processes, quiet=True))
