"""Pages: self-contained, what stands in them, the live one, and both in a real browser."""

import base64
import json
import os
import re
import shutil
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from typer.testing import CliRunner

import mlsemi
from mlsemi.cli import app
from mlsemi.cli.work.server import server, structure_from
from mlsemi.draw.volumes import orbital_on
from mlsemi.errors import InputError
from mlsemi.page import content
from mlsemi.page.document import document, page

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 180_000
"""Milliseconds: a browser without a graphics card on a busy machine."""
FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@pytest.fixture(scope="module")
def result():
    return mlsemi.singlepoint(EXAMPLES / "formaldehyde.xyz", singlets=5, triplets=1)


class Parts(HTMLParser):
    """Addresses that a page would fetch, its text in scripts, its policy."""

    def __init__(self):
        super().__init__()
        self.addresses, self.scripts, self.inside, self.policy = [], [], False, ""

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.addresses += [v for k, v in found.items() if k in ("src", "href", "data", "action")]
        self.inside = tag == "script"
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.scripts.append(data)


def test_a_page_fetches_nothing(result):
    parts = Parts()
    parts.feed(page(result, "mlsemi page </script><b>", "<i>\u2028"))
    assert parts.addresses == ["data:,"]
    assert parts.policy.startswith("default-src 'none';")
    assert "connect-src" not in parts.policy
    held = next(text for text in parts.scripts if text.startswith("let PAGE = "))
    found = json.loads(held.removeprefix("let PAGE = ").rstrip(";"))
    assert (found["command"], found["name"]) == ("mlsemi page </script><b>", "<i>\u2028")
    assert found["record"]["excitations"]["singlets"][0]["energy_ev"] > 3.0
    assert set(found["surfaces"]) == set(found["drawable"])
    assert {"hole:S1", "electron:S1", "transition:S1", "hole:T1"} <= set(found["drawable"])
    assert "connect-src 'self'" in document(None, "live", live=True)


def test_surfaces_are_the_orbitals(result):
    grid = content.grid_of(result)
    homo = result.state.n_occupied - 1
    held = content.surface(result, f"orbital:{homo}", grid)
    values = np.frombuffer(base64.b64decode(held["data"]), "<i2") / 32767 * held["largest"]
    expected = orbital_on(grid, result.basis, result.structure.positions, result.orbitals[:, homo])
    np.testing.assert_allclose(values.reshape(held["shape"]), expected, atol=2e-5)
    assert np.prod(held["shape"]) < 1.5 * content.POINTS
    norm = np.sum(expected**2) * grid.spacing**3
    assert norm == pytest.approx(1.0, abs=0.05)
    with pytest.raises(InputError, match="cannot be drawn"):
        content.surface(result, "density", grid)


def test_a_result_shows_itself(result, tmp_path):
    shown = result.view()
    assert shown._repr_html_().startswith("<iframe")
    assert "\n" not in repr(shown)
    shown.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == shown.html
    assert len(result.plot_spectrum().axes) == 2
    assert result.plot_spectrum(cd=True).axes[0].get_ylim()[0] < 0.0
    assert len(result.plot_levels().axes) == 1
    with pytest.raises(InputError, match="has no singlets"):
        mlsemi.singlepoint(EXAMPLES / "formaldehyde.xyz").plot_spectrum()


def test_pages_of_all_kinds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        return CliRunner().invoke(app, ["page", *words])

    assert run("smiles:O", "--singlets", "0", "-o", "o.html").exit_code == 0
    assert run("smiles:O", "--charge", "1", "-o", "ion.html").exit_code == 0
    assert "radical" in Path("ion.html").read_text()
    assert run("smiles:C", "--opt", "--solvent", "water").exit_code == 0
    assert Path("molecule-page.html").exists()
    assert run("none.xyz").exit_code == 1


@pytest.fixture(scope="module")
def live():
    with server(0, "organic-1") as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def post(address, what, **headers):
    kind = {"Content-Type": "application/json"} | headers
    body = what if isinstance(what, bytes) else json.dumps(what).encode()
    try:
        with urlopen(Request(address, body, kind), timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_the_live_page_computes(live):
    status, found = post(f"{live}/compute", {"text": "C=O", "singlets": 2, "relax": True})
    assert status == 200
    assert found["record"]["structure"]["symbols"] == ["C", "O", "H", "H"]
    assert len(found["record"]["excitations"]["singlets"]) == 2
    status, held = post(f"{live}/surface", {"id": found["id"], "name": "hole:S1"})
    assert status == 200
    assert len(base64.b64decode(held["data"])) == 2 * np.prod(held["shape"])
    with urlopen(live, timeout=60) as answer:
        assert b"plotly" in answer.read()


def test_the_live_page_refuses(live):
    for path, what, status, reason in (
        ("/compute", {"text": "C1CC"}, 400, "is no SMILES"),
        ("/compute", {"text": ""}, 400, "give a SMILES"),
        ("/compute", {"text": "C" * 120}, 400, "300 at most"),
        ("/compute", {"text": "C", "charge": "x"}, 400, "no whole number"),
        ("/compute", {"text": "C", "solvent": "mud"}, 400, "mud"),
        ("/compute", b"[1]", 400, "send an object"),
        ("/compute", b"{", 400, "Expecting"),
        ("/surface", {"id": 99, "name": "hole:S1"}, 400, "not kept"),
        ("/other", {}, 404, "nothing here"),
    ):
        code, found = post(live + path, what)
        assert (code, reason in found["error"]) == (status, True), found
    asked = {"text": "C"}
    for headers, status in (
        ({"Origin": "http://example.org"}, 403),
        ({"Host": "example.org"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ):
        assert post(f"{live}/compute", asked, **headers)[0] == status


def test_pasted_structures():
    assert structure_from("O 0 0 0\nH 0 0 1\nH 1 0 0", None, None)[0].n_atom == 3
    structure, _, name = structure_from("3\nwater\nO 0 0 0\nH 0 0 1\nH 1 0 0\n", 1, None)
    assert (structure.charge, structure.multiplicity, name) == (1, 2, "water")


def test_a_taken_port_is_said(live):
    with pytest.raises(InputError, match="choose another with --port"):
        server(int(live.rpartition(":")[2]), "organic-1")


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="no playwright")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no browser (apt install chromium)")
    with api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=FLAGS, timeout=PATIENCE)
        yield running
        running.close()


def opened(browser, address):
    """A page, and all that it has complained of or asked for."""
    shown, said = browser.new_page(viewport={"width": 1300, "height": 950}), []
    shown.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("request", lambda request: said.append(request.url))
    shown.set_default_timeout(PATIENCE)
    shown.goto(address)
    return shown, said


def foreign(said, address):
    return [text for text in said if not text.startswith((address, "data:", "blob:"))]


def test_in_a_browser(browser, result, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page(result, "mlsemi page", "formaldehyde"), encoding="utf-8")
    shown, said = opened(browser, path.as_uri())
    shown.wait_for_selector("body[data-ready=yes]")
    assert shown.locator("tr.state").count() == 6
    shown.locator("tr.state").nth(0).click()
    shown.wait_for_function("document.querySelector('#shown').textContent === 'hole of S1'")
    shown.locator("#kinds button").nth(1).click()
    shown.wait_for_function("document.querySelector('#shown').textContent === 'electron of S1'")
    shown.locator("#axis").click()
    shown.wait_for_function(
        "document.querySelector('#spectrum .xtitle').textContent.includes('eV')"
    )
    if folder := os.environ.get("MLSEMI_SCREENSHOTS"):
        shown.screenshot(path=Path(folder) / "page.png")
    assert foreign(said, path.as_uri()) == []
    assert len([text for text in said if text == path.as_uri()]) == 1


def test_live_in_a_browser(browser, live):
    shown, said = opened(browser, live)
    shown.fill("#text", "C=O")
    shown.click("#ask button")
    shown.wait_for_selector("body[data-ready=yes]")
    assert re.match(r"computed in \d", shown.inner_text("#said"))
    shown.fill("#text", "C1CC")
    shown.click("#ask button")
    shown.wait_for_selector("#said.error")
    assert "no SMILES" in shown.inner_text("#said")
    if folder := os.environ.get("MLSEMI_SCREENSHOTS"):
        shown.screenshot(path=Path(folder) / "live.png")
    wrong = [text for text in foreign(said, live) if "400 (Bad Request)" not in text]
    assert wrong == []
