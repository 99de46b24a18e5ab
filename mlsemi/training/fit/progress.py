"""Progress of a training run on standard error."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingDisplay:
    """A bar with time left and, at each epoch, one line of training and validation errors."""

    def __init__(self, title: str, epochs: int, done: int, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=console.quiet,
        )
        self.task = self.progress.add_task("epochs", total=epochs, completed=done)
        self.epoch = done

    def __enter__(self) -> TrainingDisplay:
        self.progress.start()
        self.console.print(
            "epoch    loss  valid.loss  occ/eV  HOMO/eV  LUMO/eV  charge/e  dipole/D  energy/eV"
            "  forces/(eV/A)"
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()

    def update(self, row: Mapping[str, float]) -> None:
        """Report one finished epoch."""
        self.epoch += 1
        v = {key.removeprefix("validation_"): row[key] for key in row if key.startswith("valid")}
        self.console.print(
            f"{self.epoch:5d} {row['loss']:7.4f} {v['loss']:11.4f} {v['occupied_ev']:7.3f} "
            f"{v['homo_ev']:8.3f} {v['lumo_ev']:8.3f} {v['charges_e']:9.4f} "
            f"{v['dipole_debye']:9.3f} {v['energy_ev']:10.2f} "
            f"{v.get('forces_ev_per_angstrom', float('nan')):14.3f}",
            soft_wrap=True,
        )
        self.progress.advance(self.task)
