"""The rules of the house, run by the suite: order of the floors, docstrings, sizes, manners."""

import ast
import graphlib
import re
from functools import cache
from pathlib import Path

import pytest

import mlsemi

PACKAGE = Path(mlsemi.__file__).parent
CHECKOUT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py" and "parameter_sets" not in path.parts
}

FLOORS = """
    units errors brief outputs machine
    kernels lattice molecule symmetry representations.kernels representations
    model.terms model.terms.fixed model.terms.intermolecular model
    orbitals excited response ground
    draw page formats spectrum ensemble plots
    sets parameters records periodic result walk evaluate batch calculators calculator ase_plugin
    nuclei qcschema representations.learning
    training.data training.reference training.generators training.objective training.calibration
    training.fit cli.work cli
""".split()  # noqa: SIM905
"""Rooms (folders) and files that stand alone: each imports only what stands before it."""


MAX_LINES = 400
MAX_FILES = 18
MAX_KERNEL_ARGUMENTS = 12
MAX_KERNEL_LINES = 60


@cache
def tree(module):
    return ast.parse(MODULES[module].read_text())


def room(module):
    """The folder a module lives in; its own name if it stands alone."""
    return module.rpartition(".")[0] or module


def rank(module):
    assert room(module) in FLOORS, f"{module} has no place in FLOORS: put it where it belongs"
    return FLOORS.index(room(module))


def without_type_checking(node):
    """Walk a tree, leaving out ``if TYPE_CHECKING`` blocks."""
    if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from without_type_checking(child)


@cache
def imports_of(module):
    """Modules of this package that a module imports, anywhere in the file."""
    return tuple(imported_by(module))


def imported_by(module):
    for node in without_type_checking(tree(module)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mlsemi":
            assert not node.level, "relative import"
            base = node.module.partition(".")[2]
            for alias in node.names:
                name = f"{base}.{alias.name}" if base else alias.name
                if name in MODULES:
                    yield name
                elif base in MODULES:
                    yield base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("mlsemi."):
                    yield alias.name.partition(".")[2]


@pytest.mark.parametrize("module", MODULES)
def test_floors(module):
    for other in imports_of(module):
        assert rank(other) <= rank(module), f"{module} imports {other}, which stands later"
        assert other != module


@pytest.mark.parametrize("floor", FLOORS)
def test_no_circles_in_a_room(floor):
    inside = [module for module in MODULES if room(module) == floor]
    graphlib.TopologicalSorter(
        {module: {other for other in imports_of(module) if other in inside} for module in inside}
    ).prepare()


@pytest.mark.parametrize("floor", sorted({room(module) for module in MODULES} - set(MODULES)))
def test_every_room_has_its_page(floor):
    folder = PACKAGE.joinpath(*floor.split("."))
    said = set(re.findall(r"`(\w+)\.py`", (folder / "README.md").read_text()))
    there = {path.stem for path in folder.glob("[!_]*.py")}
    assert said == there


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}))
def test_no_room_is_crowded(folder):
    assert len(list(folder.glob("[!_]*.py"))) <= MAX_FILES


SLOW = re.compile(
    r"^(?:import|from) (?:matplotlib|pyscf|rdkit|sklearn|tblite|dask)\b", re.MULTILINE
)
"""Libraries that a job of a small molecule should not wait for."""


def local_imports(module):
    """Modules of this package that are imported inside functions, but for typing."""
    every = tree(module)
    at_top = set(every.body)
    for node in without_type_checking(every):
        if isinstance(node, ast.ImportFrom) and node not in at_top:
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                for found in (name, node.module):
                    if found.removeprefix("mlsemi.") in MODULES:
                        yield found.removeprefix("mlsemi.")
                        break


@pytest.mark.parametrize("module", [name for name in MODULES if not room(name).startswith("cli")])
def test_imports_inside_functions_spare_slow_libraries(module):
    """There is no circle to hide from; the commands start quickly by importing late anyway."""
    for other in local_imports(module):
        reached, queue = set(), [other]
        while queue:
            at = queue.pop()
            if at not in reached:
                reached.add(at)
                queue += [name for name in imports_of(at) if name in MODULES]
        assert any(SLOW.search(MODULES[name].read_text()) for name in reached), other


def test_only_the_reference_knows_pyscf():
    pattern = re.compile(r"^\s*(import|from) pyscf", re.MULTILINE)
    knows = {room(name) for name, path in MODULES.items() if pattern.search(path.read_text())}
    assert knows <= {"training.reference", "training.generators"}


def documented(docstring, section):
    """Names in a numpydoc section, in order; None without the section."""
    lines = (docstring or "").splitlines()
    try:
        start = next(
            i for i, line in enumerate(lines) if line == section and lines[i + 1].startswith("---")
        )
    except StopIteration:
        return None
    names = []
    for line, following in zip(lines[start + 2 :], [*lines[start + 3 :], ""], strict=True):
        if following.startswith("---"):
            break
        if line and not line[0].isspace():
            names += [name.strip().lstrip("*") for name in line.split(" : ")[0].split(",")]
    return names


def signature(function):
    a = function.args
    every = [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg]
    return [arg.arg for arg in every if arg is not None and arg.arg not in ("self", "cls")]


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_name_the_arguments(module):
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef):
            names = documented(ast.get_docstring(node), "Parameters")
            if names is not None:
                assert names == signature(node), f"{module}.{node.name}"
        elif isinstance(node, ast.ClassDef) and node.decorator_list:
            fields = [
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            ]
            for section in ("Parameters", "Attributes"):
                names = documented(ast.get_docstring(node), section)
                if names is not None:
                    assert names == fields, f"{module}.{node.name}"


def public_functions(body, cls=None):
    """Functions and methods of public classes whose names have no underscore in front."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, node)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield cls, node


def arrays_of(function):
    """Arguments that are arrays, by their annotation."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    for argument in every:
        kind = ast.unparse(argument.annotation) if argument.annotation else ""
        if re.search("ndarray|ArrayLike", kind) and not re.search("apping|dict|Callable", kind):
            yield argument.arg


def kinds_of(docstring):
    """Names in a numpydoc docstring and what it says that they are."""
    lines = (line.split(" : ", 1) for line in docstring.splitlines() if re.match(r"\S.* : ", line))
    return {name.strip(): kind for names, kind in lines for name in names.split(",")}


CONTRACT = {"fit", "forward", "adjoint", "predict", "score", "transform"}
"""Methods whose arguments a base class or a protocol describes."""


@pytest.mark.parametrize("module", MODULES)
def test_arrays_have_their_shapes_in_the_docstring(module):
    """Of public functions of three or more arguments; units are atomic where none is said.

    An adjoint has those of its forward function; others may name the function that describes them.
    """
    for cls, node in public_functions(tree(module).body):
        doc = ast.get_docstring(node) or ""
        described = "djoint" in node.name or "rguments as" in doc or "rguments and" in doc
        if cls is not None and cls.bases and node.name in CONTRACT:
            described = True
        if len(signature(node)) < 3 or described:
            continue
        if "kernels" in room(module).split("."):
            assert "(" in doc or "djoint" in doc, f"{module}.{node.name}: no shape"
            continue
        kinds = kinds_of(doc)
        for name in arrays_of(node):
            assert "(" in kinds.get(name, ""), f"{module}.{node.name}: no shape of {name}"


@pytest.mark.parametrize("module", MODULES)
def test_no_print_and_no_placeholders(module):
    for node in ast.walk(tree(module)):
        called = isinstance(node, ast.Call) and getattr(node.func, "id", "")
        assert called != "print", f"{module}, line {node.lineno}"
    words = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented")
    text = MODULES[module].read_text()
    assert not [word for word in words if word in text]


@pytest.mark.parametrize("module", [name for name in MODULES if "kernels" in room(name).split(".")])
def test_kernels_are_small(module):
    for node in tree(module).body:
        if isinstance(node, ast.FunctionDef):
            assert len(signature(node)) <= MAX_KERNEL_ARGUMENTS, node.name
            body = node.body[1:] if ast.get_docstring(node) else node.body
            assert body[-1].end_lineno - body[0].lineno + 1 <= MAX_KERNEL_LINES, node.name


@pytest.mark.parametrize("module", MODULES)
def test_kernels_see_their_own_file_alone(module):
    """Compiled code that is kept on disk does not notice a change in another file."""
    imported = {
        alias.asname or alias.name
        for node in tree(module).body
        if isinstance(node, ast.ImportFrom) and node.module.startswith("mlsemi")
        for alias in node.names
    }
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef) and "kernel" in map(ast.unparse, node.decorator_list):
            names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            assert not (names & imported) - {"kernel"}, node.name


ALLOWED = {"_replace", "_asdict", "_exit"}
"""Names that are public in spite of their underscore: of named tuples and of the system."""


@pytest.mark.parametrize("module", [name for name in MODULES if name != "kernels.jit"])
def test_no_private_functions_of_others(module):
    """Numba has no public door for compiled code on disk, so `jit` is left out."""
    defined = {n.name for n in ast.walk(tree(module)) if isinstance(n, ast.FunctionDef)}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            own = ast.unparse(node.func.value) in ("self", "cls", "super()")
            private = name.startswith("_") and not name.startswith("__") and not own
            assert not private or name in defined | ALLOWED, f"{module}, line {node.lineno}: {name}"


def texts():
    """Every text file of the package and, where there is one, of the checkout around the tests."""
    roots = [PACKAGE]
    if (CHECKOUT / "pyproject.toml").is_file():
        roots += [CHECKOUT / name for name in ("tests", "validation", "docs", "parameters", ".ci")]
        yield from (p for p in CHECKOUT.iterdir() if p.suffix in {".md", ".toml"})
    for root in roots:
        for path in sorted(root.rglob("*")):
            if (
                path.suffix in {".py", ".md", ".toml", ".json", ".xyz", ".smi"}
                or path.name == "run"
            ):
                yield path


def test_no_file_is_long():
    long = {
        path.name: count
        for path in texts()
        if path.suffix == ".py" and (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not long


def test_no_placeholders():
    pattern = re.compile(r"^[A-Z]{4,}$|@[A-Z]+@", re.MULTILINE)
    found = {
        p.name: m.group()
        for p in texts()
        if p.suffix == ".md" and (m := pattern.search(p.read_text()))
    }
    assert not found


def test_no_machine_paths():
    folders = "|".join(("home", "root", "work", "Users", "mnt", "scratch"))
    pattern = re.compile(rf"(?<![\w.\-/])/({folders})/\w")
    found = {
        p.name: m.group() for p in texts() if p.is_file() and (m := pattern.search(p.read_text()))
    }
    assert not found


def without_code(page):
    """Text of a page of Markdown without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def anchors(page):
    """What headings of a page are called in addresses."""
    for heading in re.findall(r"^#+ (.*)$", without_code(page), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        yield re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")


def installed(path):
    """Where a file of the package is: it may be installed elsewhere."""
    inside = CHECKOUT.resolve() / "mlsemi"
    return PACKAGE / path.relative_to(inside) if inside in path.parents else path


def test_links_lead_somewhere():
    """A page of a validation may be one that its script has still to write."""
    kinds = r"[^)\s]*\.(?:md|py|toml|json|csv|png|svg|html|smi|xyz|h5)"
    link = re.compile(rf"\]\(((?!https?:)(?:{kinds})?(?:#[^)\s]+)?)\)")
    dead = []
    for page in texts():
        for target in link.findall(without_code(page)) if page.suffix == ".md" else ():
            name, _, anchor = target.partition("#")
            there = installed((page.parent / name).resolve() if name else page)
            if (not there.is_file() and not there.with_suffix(".py").is_file()) or (
                anchor and there.suffix == ".md" and anchor not in set(anchors(there))
            ):
                dead.append((page.name, target))
    assert not dead


def test_headings_of_the_theory_name_files():
    if (CHECKOUT / "docs").is_dir():
        text = (CHECKOUT / "docs" / "theory.md").read_text()
        named = re.findall(
            r"`([\w/]+(?:\.py|/))`", "".join(re.findall("^## .*$", text, re.MULTILINE))
        )
        assert len(named) > 30
        assert not [path for path in named if not (PACKAGE / path).exists()]
