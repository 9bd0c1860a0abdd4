"""The page on the TLS proxy names what `env --proxy-port` sets, and files that are there."""

import re
import subprocess
import sys
from pathlib import Path

from emulator.cli.proxied import through
from emulator.proxy import hosts, trust
from emulator.proxy.authority import Authority

PAGE = (Path(__file__).parents[2] / "docs" / "proxy.md").read_text()


def test_every_variable_that_leads_through_the_proxy_has_its_row() -> None:
    chosen = through("http://127.0.0.1:4611", Path("/state"), "127.0.0.1", {})
    rows = "".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`(\w+)`", rows))
    assert set(chosen) == named - {"AWS_ENDPOINT_URL", "PYTHONPATH", "ssl"}


def test_every_file_that_it_names_is_made(tmp_path: Path) -> None:
    Authority(trust.directory(tmp_path), hosts.suffixes())
    trust.write_bundle(tmp_path, {})
    named = set(re.findall(r"proxy/[\w-]+\.pem", PAGE))
    assert named == {f"proxy/{path.name}" for path in trust.directory(tmp_path).iterdir()}


def test_without_the_setting_nothing_of_it_is_loaded() -> None:
    look = "import sys, emulator.assemble; print([n for n in sys.modules if 'emulator.proxy' in n])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
