"""The notebooks of the documentation hold what they say today."""

import importlib.util
import shutil
from pathlib import Path

import pytest

pytest.importorskip("IPython")
nbformat = pytest.importorskip("nbformat")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    path = ROOT / "docs" / "execute_notebooks.py"
    spec = importlib.util.spec_from_file_location("execute_notebooks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("default")
def test_notebooks_are_executed(script, capsys):
    """If this fails and is meant to: ``python docs/execute_notebooks.py``."""
    assert len(list(script.FOLDER.glob("*.ipynb"))) == 2
    status = script.main(check=True)
    assert status == 0, capsys.readouterr().out


def test_stored_outputs_hold_pictures_and_no_paths(script):
    for path in script.FOLDER.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        text = path.read_text()
        assert "image/png" in text
        assert str(ROOT) not in text
        assert "/home/" not in text
        assert all(c.execution_count for c in notebook.cells if c.cell_type == "code")


def test_what_has_changed_is_told(script, tmp_path, monkeypatch, capsys):
    shutil.copy(script.FOLDER / "spectra.ipynb", tmp_path)
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1.25)\n2")])
    (tmp_path / "spectra.ipynb").write_text(nbformat.writes(notebook))
    script.main(check=False)
    assert script.main(check=True) == 0
    stored = nbformat.read(tmp_path / "spectra.ipynb", as_version=4)
    for said, status in (("1.26\n", 0), ("1.29\n", 1), ("1.25 eV\n", 1)):
        stored.cells[0].outputs[0].text = said
        (tmp_path / "spectra.ipynb").write_text(nbformat.writes(stored))
        assert script.main(check=True) == status
    assert "is now\n1.25" in capsys.readouterr().out
