"""The contract of terms: one file a weight, and a new one touches no other file."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harness import assert_adjoint, assert_equivariant
from molecules import FORMS, SMALL, distorted, moved, parameters_of, random_model
from teacher import lessons

import mlsemi.model.terms
from mlsemi import singlepoint
from mlsemi.errors import InputError
from mlsemi.model.catalogue import shapes_of, start_of, terms_of, weights_of
from mlsemi.model.model import Model
from mlsemi.model.terms.intermolecular.bonded import PREFIX
from mlsemi.model.terms.prediction import PredictionBar
from mlsemi.model.terms.response import ATOMS, SHARED
from mlsemi.molecule.pairs import PairList
from mlsemi.parameters import Parameters
from mlsemi.training.fit.regression import initial_model

PACKAGE = Path(mlsemi.__file__).parent
PAGE = (PACKAGE / "model" / "README.md").read_text()


@pytest.fixture
def with_polarizability(tmp_path, monkeypatch):
    """A form with the term of the README, in a file of its own."""
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1)
    head = "import numpy as np\nfrom mlsemi.model.terms.term import Term, Weight\n\n\n"
    (tmp_path / "polarizability.py").write_text(head + code)
    package = mlsemi.model.terms
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    return replace(SMALL, extra=("polarizability",))


def listed(form, *structures):
    return PairList.of(structures, form.elements, form.cutoff)


def test_a_new_readout_is_one_file(with_polarizability, tmp_path):
    """It starts, predicts, walks back, is saved and loaded; nothing else of a model changes."""
    form = with_polarizability
    structure = distorted("HCOOH")
    assert set(shapes_of(form)) == {*shapes_of(SMALL), "polarizability"}
    for name, value in start_of(SMALL, 3).items():
        np.testing.assert_array_equal(start_of(form, 3)[name], value)

    model = random_model(form)
    assert not initial_model(form, lessons(model, 4, 0).records, 0).weights["polarizability"].any()
    parameters_of(model).save(tmp_path / "set")
    loaded = Parameters.load(tmp_path / "set")
    assert loaded.model.form == form
    plain = parameters_of(random_model(SMALL))
    one, two = (singlepoint(structure, parameters=p, dispersion=False) for p in (loaded, plain))
    assert one.energy == two.energy

    def observe(structure):
        pairs = listed(form, structure)
        found = loaded.model.predict(pairs, ("polarizability",))[0].extra["polarizability"]
        return {"polarizability": ("atom", found[pairs.atoms_of(0)])}

    assert_equivariant(observe, structure, atol=1e-12)


def test_adjoint_of_a_new_readout(with_polarizability):
    model, structure = random_model(with_polarizability), distorted("HCOOH")
    name = "polarizability"

    def forward(x, head):
        other = Model(model.form, dict(model.weights) | {name: head})
        pairs = listed(model.form, moved(structure, x))
        return other.predict(pairs, (name,))[0].extra[name]

    def adjoint(bar):
        found = model.predict(listed(model.form, structure), (name,))
        gradients, x_bar = model.adjoint(*found, PredictionBar(extra={name: bar}), True)
        return x_bar, gradients[name]

    assert_adjoint(forward, adjoint, [structure.positions, model.weights[name]], step=1e-2)


@pytest.mark.parametrize("name", ["nothing", "../levels", "term.py", ""])
def test_unknown_terms_are_refused(name):
    with pytest.raises(InputError, match="there is no term of this name"):
        terms_of(replace(SMALL, extra=(name,)))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_weight_has_one_term(form):
    names = [name for term in terms_of(form) for name in term.weights()]
    assert len(set(names)) == len(names)
    assert set(names) == set(weights_of(form))
    for name, value in start_of(form, 0).items():
        assert value.shape == weights_of(form)[name].shape


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_what_is_not_wanted_is_left_out(form):
    """Each part alone is what it is among all others."""
    model = random_model(form)
    pairs = listed(form, distorted("HCOOH"))
    every, _ = model.predict(pairs)
    for name in ("atom_energies", "atom_dipoles", "sp_lengths", "charges"):
        alone, _ = model.predict(pairs, (name,))
        np.testing.assert_array_equal(getattr(alone, name), getattr(every, name))
        assert not alone.hamiltonian.bonds.any()
    alone, _ = model.predict(pairs, ("hamiltonian",))
    np.testing.assert_array_equal(alone.hamiltonian.matrix(), every.hamiltonian.matrix())
    assert not alone.atom_energies.any()
    np.testing.assert_array_equal(model.invariants(pairs), every.invariants)


def test_names_of_weights_stand_in_one_file():
    """Of learned models; words that mean other things too (a level, a charge) are left out."""
    forms = [form for form in FORMS.values() if form.learned]
    names = {
        re.sub(r"\d$", "", name.removeprefix(PREFIX)) for form in forms for name in weights_of(form)
    }
    names -= {"level", "charge"}
    found = {name: set() for name in names}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if text in found:
                found[text].add(path.relative_to(PACKAGE).as_posix())
    assert len(names) > 20
    other_kinds = {"model/terms/fixed/features.py", "model/terms/fixed/bonds.py"}  # share some
    for name, files in found.items():
        assert len(files - other_kinds) == 1, name


def test_adjoint_of_the_constants_of_the_response():
    model, structure = random_model(replace(SMALL, extra=("response",))), distorted("HCOOH")
    names = [name for name in model.weights if name.startswith("response.")]
    assert len(names) == 7

    def forward(x, *heads):
        other = Model(model.form, dict(model.weights) | dict(zip(names, heads, strict=True)))
        found = other.predict(listed(model.form, moved(structure, x)), (ATOMS, SHARED))[0].extra
        return found[ATOMS], found[SHARED]

    def adjoint(atoms_bar, shared_bar):
        found = model.predict(listed(model.form, structure), (ATOMS, SHARED))
        given = PredictionBar(extra={ATOMS: atoms_bar, SHARED: shared_bar})
        gradients, x_bar = model.adjoint(*found, given, True)
        return x_bar, *(gradients[name] for name in names)

    start = [structure.positions, *(model.weights[name] for name in names)]
    assert_adjoint(forward, adjoint, start, step=1e-3, rtol=1e-8)
