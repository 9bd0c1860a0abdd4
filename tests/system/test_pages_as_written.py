"""README and quick start, typed word for word by a user who is not root, in a new folder."""

import fcntl
import json
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from visitor import Shell, Visitor, check_out, visiting

from tests.docs.blocks import ALSO, ROOT, TYPED, Block, Step, agrees, block_at, blocks_of

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PORT = 4610
SECONDS = 200.0
ELSEWHERE = {
    "make demo": "tests/system/test_demo.py",
    "make test": "Makefile",
    "make images": "Makefile",
}
"""Commands that are not typed here, with the file that runs the same: this test is one of those
that `make test` runs, after `make images`."""
RUN_THERE = {
    "make demo": r'"examples\.digits\.demo"',
    "make test": r"^test: [^#]*(?:#.*\n)(?:\t.*\n)*\t.*\$\(BIN\)/pytest",
    "make images": r"^test: [^#]*(?:#.*\n)(?:\t.*\n)*\t@\$\(MAKE\) .*\bimages\b",
}


@pytest.fixture
def port() -> Iterator[None]:
    """Have the port that the pages name for oneself; several test runs take turns."""
    deadline = time.monotonic() + SECONDS
    file = Path(tempfile.gettempdir()) / f"sagemaker-emulator-port-{PORT}"
    if not file.exists():
        file.touch()
    with file.open() as turn:  # to read alone: another user may have made it
        while True:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < deadline, f"another test run keeps port {PORT}"
                time.sleep(0.2)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", PORT))
            except OSError:
                pytest.fail(f"Port {PORT}, which the pages name, is taken: end what listens there.")
        yield


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    with visiting(tmp_path / "home") as arrived:
        check_out(arrived)
        yield arrived
        arrived.run("docker", "rmi", "my-line", check=False)  # made by the quick start


class Reading:
    """Somebody who does what a page says, from its top to its bottom."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._shell = visitor.shell()
        self._serving: Shell | None = None
        self.typed: list[str] = []

    def follow(self, block: Block, expected: str = "") -> None:
        """Do what a block says; `expected` is what a program prints that is no file."""
        if block.file:
            self._save(block)
        elif block.language == "python":
            self._do(Step(f"python - <<'END'\n{block.text}END", tuple(expected.splitlines())))
        elif block.language == "console":
            if "another shell" in block.before:
                self._shell = self._visitor.shell()
            for step in block.steps():
                self._do(step)

    def _save(self, block: Block) -> None:
        """Save a file where the shell is, as an editor that was started there does."""
        self._shell.type("pwd")
        folder = Path(self._shell.finish(within=30)[1].strip())
        (folder / block.file).write_text(block.text, encoding="utf-8")

    def _do(self, step: Step) -> None:
        command = step.command.partition("  #")[0].strip()
        self.typed.append(command)
        if command in ELSEWHERE:
            return
        self._shell.type(step.command)
        if command == "sagemaker-emulator up":
            [line] = step.expected
            self._shell.until(line, within=SECONDS)
            self._serving = self._shell
            return
        code, printed = self._shell.finish(within=SECONDS)
        assert code == 0, f"$ {step.command}\n{printed}"
        if step.expected:
            assert agrees(printed, step.expected), f"$ {step.command}\n{printed}\n{step.expected}"

    def press_ctrl_c(self) -> None:
        """End the emulator, as the pages say."""
        assert self._serving is not None
        held = self._visitor.checkout / ".sagemaker-emulator" / "emulator.lock"
        os.kill(json.loads(held.read_text())["pid"], signal.SIGINT)
        code, printed = self._serving.finish(within=SECONDS)
        assert code == 0, printed
        assert "Traceback" not in printed


@pytest.mark.usefixtures("port")
@pytest.mark.parametrize("page", TYPED)
def test_a_new_user_who_does_what_the_page_says_sees_what_it_says(
    page: str, visitor: Visitor
) -> None:
    reading = Reading(visitor)
    for block in blocks_of(page):
        reading.follow(block)
    for other, beginning in ALSO if page == "README.md" else ():
        reading.follow(*block_and_output(other, beginning))
    reading.press_ctrl_c()
    assert {"sagemaker-emulator up", ". .venv/bin/activate"} <= set(reading.typed)
    owner = (visitor.checkout / ".sagemaker-emulator").stat().st_uid
    assert owner == (os.geteuid() or owner) != 0


def block_and_output(page: str, beginning: str) -> tuple[Block, str]:
    """Return a block, and what the page says right below it that it prints."""
    block, blocks = block_at(page, beginning), blocks_of(page)
    place = blocks.index(block) + 1
    shown = [b.text for b in blocks[place : place + 1] if b.language == "text"]
    return block, "".join(shown)


def test_what_is_not_typed_here_is_on_the_pages_and_run_elsewhere() -> None:
    pages = [blocks_of(page) for page in TYPED]
    steps = [
        step
        for blocks in pages
        for block in blocks
        if not block.file and block.language == "console"
        for step in block.steps()
    ]
    shown = {step.command.partition("  #")[0].strip() for step in steps}
    assert set(ELSEWHERE) <= shown
    for command, file in ELSEWHERE.items():
        there = (ROOT / file).read_text()
        assert re.search(RUN_THERE[command], there, flags=re.MULTILINE), f"{command}: {file}"


def test_every_block_of_these_pages_is_saved_or_typed() -> None:
    for page in TYPED:
        blocks = blocks_of(page)
        assert len(blocks) >= 4
        assert [block.title for block in blocks if not block.file] == [
            block.title for block in blocks if block.language == "console"
        ]
