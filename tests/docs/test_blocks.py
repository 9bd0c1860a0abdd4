"""Every block of the pages: a test runs it, or it stands here with the reason why none does.

What no test runs is at least read as whoever runs it would: shells and Python parse it, and each
command, option, target and module that it names is there.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

import click
import pytest

from emulator.cli.main import commands
from tests.docs.blocks import ALSO, ROOT, TYPED, Block, blocks_of

PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in (".", "docs", "examples", "examples/*", "compose", "images")
    for path in ROOT.glob(f"{folder}/*.md")
    if path.name != "CHANGELOG.md"
)
READ_ONLY = ("", "text", "mermaid")
"""Languages of what is read: output, diagrams."""

RUN_BY = {
    ("docs/accelerators.md", "$ sagemaker-emulator up --attach-accelerator ml.eia1.medium"): (
        "tests/system/test_accelerators.py"
    ),
    ("docs/clients.md", "curl -X POST http"): "tests/contract/test_reset.py",
    ("docs/clients.md", "$ sagemaker-emulator env --format fish"): "tests/unit/test_cli_env.py",
    ("docs/clients.md", "$ SAGEMAKER_EMULATOR_AS_WRITTEN=1 python train.py"): (
        "tests/sdk/test_client_environment.py"
    ),
    ("docs/clients.md", "aws ecr get-login-password "): "tests/system/test_image_lookup.py",
    ("docs/compose.md", "$ make images "): "tests/system/test_compose.py",
    ("docs/compose.md", '$ eval "$(sagemaker-emulator env --port 4610)"'): (
        "tests/system/test_compose.py"
    ),
    ("docs/image-classification.md", "make images "): (
        "tests/system/test_image_classification_example.py"
    ),
    ("docs/image-classification.md", "import sagemaker\n"): (
        "tests/sdk/test_image_classification_sdk.py"
    ),
    ("docs/image-classification.md", "$ images/image-classification/bin/pack-images"): (
        "tests/unit/test_image_classification_packing.py"
    ),
    ("docs/local-mode.md", "$ make demo-local "): "tests/sdk/test_demo_local.py",
    ("docs/local-mode.md", "$ make compose "): "tests/sdk/test_local_mode.py",
    ("docs/notebook-instances.md", "import boto3\n"): (
        "tests/system/test_notebook_instances_running.py"
    ),
    (
        "docs/proxy.md",
        "$ sagemaker-emulator up --proxy-port 4611",
    ): "tests/sdk/test_proxy_clients.py",
    ("docs/sample-data.md", "sagemaker-emulator up --data-buckets "): (
        "tests/component/test_storage_datasets.py"
    ),
    ("docs/sample-data.md", "aws s3 ls --recursive "): "tests/component/test_storage_samples.py",
    ("docs/sample-data.md", "sagemaker-emulator up --sample-data ~/mnist"): (
        "tests/component/test_storage_samples.py"
    ),
    ("docs/sample-data.md", "aws s3 rb --force "): "tests/component/test_storage_samples.py",
    ("docs/sample-data.md", "python -m scripts.sample_digits"): (
        "tests/component/test_storage_samples.py"
    ),
    ("examples/digits/README.md", "make demo "): "tests/system/test_demo.py",
    ("examples/image_classification/README.md", "sagemaker-emulator up &"): (
        "tests/system/test_image_classification_example.py"
    ),
    ("examples/sdk_v3/README.md", "sagemaker-emulator up &"): "tests/sdk/test_v3.py",
}
"""Blocks whose subject the named test runs, in its own way and not word for word: the page, and how
the block begins."""

NOT_RUN = {
    ("docs/clients.md", "unset AWS_ENDPOINT_URL "): "test_clients_page.py compares it with `env`",
    ("docs/compose.md", "services:\n"): "a part of a file that is the reader's own",
    ("docs/compose.md", "    volumes:\n"): "a part of a file that is the reader's own",
    ("docs/compose.md", "$ docker run --detach "): "would keep the pages' port and a volume",
    ("docs/input-modes.md", "number = 0\n"): "a sketch of a loop that has no end",
    ("docs/input-modes.md", '{"source-ref"'): "two lines of data",
    ("docs/input-modes.md", "{\n"): "one channel of a request",
    ("docs/local-mode.md", "#!/bin/sh\n"): "needs the plugin of Docker without docker-compose",
    ("docs/local-mode.md", "docker rm "): "would remove containers of other runs",
    ("docs/notebooks.md", "$ python3 -m venv notebooks"): "downloads JupyterLab, and opens it",
    ("docs/proxy.md", "$ keytool "): "needs a Java, and would change whom it trusts",
    (
        "examples/drawing/README.md",
        "from pathlib import Path\n",
    ): "a cell for the reader's notebook",
}
"""Blocks that no test runs, and why."""


def covered(block: Block, entries: Iterable[tuple[str, str]]) -> bool:
    return any(block.page == page and block.text.startswith(text) for page, text in entries)


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUNNABLE = [block for block in BLOCKS if block.language not in READ_ONLY]
CONSOLES = [block for block in RUNNABLE if block.language in ("console", "sh")]


def named(block: Block) -> str:
    return f"{block.page}: {block.title}"


def test_every_block_is_run_or_named_with_the_reason() -> None:
    known = [*RUN_BY, *NOT_RUN, *ALSO]
    others = [block for block in RUNNABLE if block.page not in TYPED]
    left = [named(block) for block in others if not covered(block, known)]
    assert left == [], "name the test that runs these in RUN_BY, or the reason in NOT_RUN, above"


@pytest.mark.parametrize("entry", [*RUN_BY, *NOT_RUN, *ALSO], ids=": ".join)
def test_every_entry_means_one_block(entry: tuple[str, str]) -> None:
    assert sum(covered(block, [entry]) for block in RUNNABLE) == 1
    assert (ROOT / RUN_BY.get(entry, "tests")).exists()


@pytest.mark.parametrize("block", CONSOLES, ids=named)
def test_a_shell_can_read_it(block: Block) -> None:
    subprocess.run(["bash", "-n", "-c", "\n".join(typed(block))], check=True)


@pytest.mark.parametrize(
    "block", [block for block in RUNNABLE if block.language == "python"], ids=named
)
def test_python_can_read_it(block: Block) -> None:
    compile(block.text, block.page, "exec")


@pytest.mark.parametrize("block", [b for b in RUNNABLE if b.language == "json"], ids=named)
def test_json_can_be_read(block: Block) -> None:
    for line in block.text.splitlines():
        json.loads(line)


@pytest.mark.parametrize("block", CONSOLES, ids=named)
def test_what_it_calls_is_there(block: Block) -> None:
    for line in typed(block):
        for call in calls(line):
            check_call(call)


def typed(block: Block) -> list[str]:
    if block.language == "sh":
        return block.text.replace("\\\n", " ").splitlines()
    return [step.command for step in block.steps()]


def calls(line: str) -> list[list[str]]:
    """Return the simple commands of a line, those of `$(...)` included."""
    inner = re.findall(r"\$\((.*?)\)", line)
    outer = re.sub(r"\$\(.*?\)", "x", line)
    words = [shlex.split(part, comments=True) for part in [*inner, outer] if "<<" not in part]
    found: list[list[str]] = []
    for each in words:
        call: list[str] = []
        for word in [*each, ";"]:
            if word in (";", "|", "&&", "&", ">", ">>"):
                found.append([w for w in call if not re.match(r"[A-Z_]+=", w)])
                call = []
            else:
                call.append(word)
    return [call for call in found if call]


def check_call(call: list[str]) -> None:
    """Fail if a call of what is ours names what is not there."""
    program, *arguments = call
    if program.rpartition("/")[2] == "sagemaker-emulator":
        parse(commands, arguments)
    elif program == "make":
        targets = [word for word in arguments if "=" not in word]
        makefile = (ROOT / "Makefile").read_text()
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    elif program.rpartition("/")[2] == "python" and arguments[:1] == ["-m"]:
        module = Path(*arguments[1].split("."))
        inside = (ROOT / module.with_suffix(".py"), ROOT / module / "__init__.py")
        assert module.parts[0] == "ipykernel" or any(path.is_file() for path in inside), call
    elif program.startswith("images/"):
        assert (ROOT / program).is_file()


def parse(command: click.Command, arguments: list[str], above: click.Context | None = None) -> None:
    """Let click read a call, without doing anything."""
    # Within the context above, as in a call: click keeps what a command makes of it.
    made = command.make_context(command.name or "", list(arguments), parent=above)
    with made:
        if isinstance(command, click.Group):
            name, below, rest = command.resolve_command(made, [*made._protected_args, *made.args])
            assert below is not None, name
            parse(below, rest, made)
