"""The command line: ``mlsemi`` and ``python -m mlsemi.cli``."""

from mlsemi.cli.commands import app, main

__all__ = ["app", "main"]
