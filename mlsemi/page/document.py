"""The HTML file around the content of a page; it fetches nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsemi.draw.report import json_line
from mlsemi.outputs import complete_or_absent
from mlsemi.page.content import content, surfaces

if TYPE_CHECKING:
    from mlsemi.result import Result

FOLDER = Path(__file__).parent
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
    ]
)
"""What a page may do: run what stands in it, fetch nothing."""
LIVE_POLICY = POLICY + "; connect-src 'self'"


def page(result: Result, command: str = "", name: str = "") -> str:
    """Self-contained HTML of a result.

    Parameters
    ----------
    result : Result
        With the excited states to be shown.
    command : str
        That made it.
    name : str
        Of the molecule.
    """
    held = content(result, command, name) | {"surfaces": surfaces(result)}
    return document(held, held["name"])


@dataclass(frozen=True, repr=False)
class View:
    """A page, to be shown in a notebook or saved.

    Attributes
    ----------
    html : str
    """

    html: str

    @classmethod
    def of(cls, result: Result) -> View:
        """Page of a result."""
        return cls(page(result))

    def __repr__(self) -> str:
        """One line."""
        return (
            f"View({len(self.html) / 1e6:.1f} MB; save('page.html'), or look at it in a notebook)"
        )

    def _repr_html_(self) -> str:
        """The page in a frame of its own."""
        style = "width:100%;height:940px;border:1px solid #ddd"
        return f'<iframe style="{style}" srcdoc="{escape(self.html)}"></iframe>'

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page.

        Parameters
        ----------
        path : path
        """
        with complete_or_absent(path) as temporary:
            temporary.write_text(self.html, encoding="utf-8")


def document(held: dict[str, Any] | None, title: str, live: bool = False, form: str = "") -> str:
    """HTML of the content of a page, or of the live page without any.

    Parameters
    ----------
    held : dict or None
    title : str
    live : bool
        Whether it may ask the server it comes from.
    form : str
        HTML above the panels.
    """
    from plotly.offline import get_plotlyjs

    parts = ["page.js", *(["live.js"] if live else [])]
    scripts = [get_plotlyjs(), _held(held), *((FOLDER / part).read_text("utf-8") for part in parts)]
    policy = LIVE_POLICY if live else POLICY
    body = (FOLDER / "body.html").read_text("utf-8").replace("<!-- form -->", form)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{escape(title)} - mlsemi</title>",
            f"<style>{(FOLDER / 'page.css').read_text('utf-8')}</style></head>",
            f"<body>{body}",
            *(f"<script>{text}</script>" for text in scripts),
            "</body></html>",
            "",
        ]
    )


def _held(held: dict[str, Any] | None) -> str:
    """The content as a statement; nothing in it can end the script element."""
    text = "null" if held is None else json_line(held)
    for letter, code in (("<", "\\u003c"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        text = text.replace(letter, code)
    return f"let PAGE = {text};"
