"""The live page: a small server on loopback that computes what its page asks for."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlsemi.draw.report import json_line
from mlsemi.errors import InputError, MlsemiError
from mlsemi.evaluate import molecular
from mlsemi.molecule.formats import structure_of
from mlsemi.molecule.smiles import molecule_of, read_smiles
from mlsemi.molecule.structure import Structure
from mlsemi.molecule.xyz import read_xyz
from mlsemi.nuclei.relaxation import relaxed_structure
from mlsemi.page.content import content, grid_of, surface
from mlsemi.page.document import FOLDER, document
from mlsemi.response.solvents import TABLE
from mlsemi.result import Result

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 1_000_000
MOST_ATOMS = 300
MOST_STATES = 100
KEPT = 8
"""Results whose surfaces can still be asked for."""


class Work:
    """What the page asks for, one request at a time.

    Parameters
    ----------
    parameters : str
    """

    def __init__(self, parameters: str) -> None:
        self.parameters = parameters
        self.results: OrderedDict[int, Result] = OrderedDict()
        self.lock = threading.Lock()
        self.count = 0

    def compute(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Content of the page of one molecule.

        Parameters
        ----------
        asked : dict
            ``text`` (SMILES or xyz), ``charge``, ``multiplicity``, ``solvent``, ``singlets``,
            ``triplets``, ``relax``.

        Raises
        ------
        MlsemiError
            Saying what cannot be done.
        """
        structure, notes, name = structure_from(
            str(asked.get("text", "")), _whole(asked, "charge"), _whole(asked, "multiplicity")
        )
        if structure.n_atom > MOST_ATOMS:
            raise InputError(f"{structure.n_atom} atoms: this page takes {MOST_ATOMS} at most")
        closed = structure.multiplicity == 1
        singlets, triplets = (
            min(max(_whole(asked, kind) or 0, 0), MOST_STATES) if closed else 0
            for kind in ("singlets", "triplets")
        )
        solvent = str(asked["solvent"]) if asked.get("solvent") else None
        with self.lock:
            if asked.get("relax"):
                structure, more = relaxed_structure(structure, self.parameters, solvent=solvent)
                notes = [*notes, *more]
            result = molecular(
                structure,
                parameters=self.parameters,
                singlets=singlets,
                triplets=triplets,
                solvent=solvent,
            )
            held = content(result, "mlsemi serve", name)
            held["record"]["warnings"] = [*notes, *held["record"]["warnings"]]
            self.count += 1
            self.results[self.count] = result
            while len(self.results) > KEPT:
                self.results.popitem(last=False)
            return held | {"id": self.count}

    def surface(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One orbital or density of a result.

        Parameters
        ----------
        asked : dict
            ``id`` of the result and ``name`` of the surface.

        Raises
        ------
        InputError
            If it is not there any more.
        """
        with self.lock:
            result = self.results.get(_whole(asked, "id") or 0)
            if result is None:
                raise InputError("this result is not kept any more; compute it again")
            return surface(result, str(asked.get("name", "")), grid_of(result))


def structure_from(
    text: str, charge: int | None, multiplicity: int | None
) -> tuple[Structure, list[str], str]:
    """Structure of what somebody has pasted: an xyz file if it has several lines, else a SMILES.

    Raises
    ------
    InputError
        If it is neither.
    """
    text = text.strip().replace("\r\n", "\n")
    if not text:
        raise InputError("give a SMILES or the text of an xyz file")
    lines = text.split("\n")
    if len(lines) == 1:
        drawn = molecule_of(text)
        if drawn.GetNumAtoms() > MOST_ATOMS:
            raise InputError(f"{drawn.GetNumAtoms()} atoms: this page takes {MOST_ATOMS} at most")
        structure, notes = structure_of(read_smiles(text), charge, multiplicity)
        name = text
    else:
        if not lines[0].strip().isdecimal():  # atoms alone
            lines = [str(len(lines)), "", *lines]
        atoms, said = read_xyz("\n".join(lines))
        comment = lines[1].strip()
        name = comment if comment and "=" not in comment else ""
        structure, notes = structure_of(atoms, charge, multiplicity, said)
    return structure, notes, name


def _whole(asked: dict[str, Any], key: str) -> int | None:
    value = asked.get(key)
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{key} {value!r} is no whole number")
    return value


def form() -> str:
    """Where the molecule is given."""
    text = (FOLDER / "form.html").read_text("utf-8")
    options = "".join(f'<option value="{name}">{name}</option>' for name in sorted(TABLE))
    return text.replace("<!-- solvents -->", options)


class Handler(BaseHTTPRequestHandler):
    """Answers of the live page; the server carries the work and the page."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "mlsemi"
    sys_version = ""

    def do_GET(self) -> None:
        """The page."""
        if not self._is_local():
            return
        if self.path == "/":
            self._answer(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8")
        else:
            self._fail(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:
        """A molecule, or a surface of one."""
        if not self._is_local():
            return
        work = {"/compute": self.server.work.compute, "/surface": self.server.work.surface}
        length = self.headers.get("Content-Length", "")
        if self.path not in work:
            self._fail(HTTPStatus.NOT_FOUND, "there is nothing here")
        elif self.headers.get_content_type() != "application/json":
            self._fail(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON")
        elif not length.isdecimal() or int(length) > LARGEST_BODY:
            self._fail(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is too much text")
        else:
            try:
                asked = json.loads(self.rfile.read(int(length)))
                if not isinstance(asked, dict):
                    raise InputError("send an object")
                found = json_line(work[self.path](asked))
            except (MlsemiError, ValueError) as error:
                self._fail(HTTPStatus.BAD_REQUEST, str(error))
            else:
                self._answer(HTTPStatus.OK, found.encode(), "application/json")

    def _is_local(self) -> bool:
        """Refuse pages of other sites that make a browser ask in their name."""
        port = self.server.server_address[1]
        hosts = {f"{host}:{port}" for host in (LOOPBACK, "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in hosts and origin in (None, *(f"http://{h}" for h in hosts)):
            return True
        self._fail(HTTPStatus.FORBIDDEN, "this server answers pages of this machine only")
        return False

    def _fail(self, status: HTTPStatus, text: str) -> None:
        self.close_connection = True
        self._answer(status, json.dumps({"error": text}).encode(), "application/json")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal shows where the page is, and errors stand in it."""


class Server(ThreadingHTTPServer):
    """Server of the live page.

    Parameters
    ----------
    port : int
    parameters : str
    """

    daemon_threads = True

    def __init__(self, port: int, parameters: str) -> None:
        self.work = Work(parameters)
        self.page = document(None, "live", live=True, form=form()).encode()
        super().__init__((LOOPBACK, port), Handler)


def server(port: int, parameters: str) -> Server:
    """Server on loopback, ready to ``serve_forever``.

    Parameters
    ----------
    port : int
        0: any that is free.
    parameters : str

    Raises
    ------
    InputError
        If the port is taken.
    """
    try:
        return Server(port, parameters)
    except OSError as error:
        raise InputError(f"port {port}: {error.strerror}; choose another with --port") from None
