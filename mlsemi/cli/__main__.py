"""``python -m mlsemi.cli``."""

from mlsemi.cli.commands import main

main()
