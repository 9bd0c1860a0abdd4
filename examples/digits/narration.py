"""Progress in the terminal: each phase with its time, and log lines below it, on standard error.

On a terminal the phase at work has a spinner; elsewhere there are plain lines only.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status


class Narration:
    """Tells what is being done and keeps how long each phase took.

    Attributes:
        seconds: by phase, in the order of their ends.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}
        self._status: Status | None = None
        self._title = ""

    def title(self, text: str) -> None:
        self.console.print(f"\n[bold]{text}[/bold]")
        self.seconds = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is done inside; a failure is marked as such and passes through."""
        began = time.monotonic()
        self._title = name
        with self.console.status(name) as self._status:
            try:
                yield
            except BaseException:
                self._end("[red]✗[/red]", name, time.monotonic() - began)
                raise
            finally:
                self._status = None
            self.seconds[name] = time.monotonic() - began
            self._end("[green]✓[/green]", name, self.seconds[name])

    def now(self, text: str) -> None:
        """Say what the phase at work is waiting for."""
        if self._status is not None:
            self._status.update(f"{self._title}: {text}")

    def line(self, text: str) -> None:
        """Show a line of somebody's log."""
        self.console.print(
            f"    {text}", style="dim", markup=False, highlight=False, soft_wrap=True
        )

    def _end(self, mark: str, name: str, seconds: float) -> None:
        self.console.print(f"{mark} {name:<44} {seconds:6.1f} s", highlight=False)
