"""A user's shell: one version of the SageMaker Python SDK, and what the `env` command prints.

Nothing else points a client at the emulator: what works here works for everyone who evaluates it.
"""

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.system.running_emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
_COMMAND = Path(sys.executable).with_name("sagemaker-emulator")


def interpreter(version: str) -> Path:
    """Return the Python that has version `v1`, `v2` or `v3` of the SDK; fails without it."""
    python = ROOT / ".venv-sdk" / version / "bin" / "python"
    assert python.exists(), f"{python} is missing: make sdks"
    return python


@dataclass(frozen=True)
class Shell:
    """A shell whose environment is otherwise empty.

    Attributes:
        version: `v1`, `v2` or `v3`.
        home: the user's home and working directory.
        flags: more flags for `env`.
    """

    version: str
    emulator: Emulator
    home: Path
    flags: tuple[str, ...] = ()

    @cached_property
    def environment(self) -> dict[str, str]:
        """Return the variables of the shell after it evaluated what `env` prints."""
        state, flags = shlex.quote(str(self.emulator.state)), shlex.join(self.flags)
        prints = f"{shlex.quote(str(_COMMAND))} env --state {state} --port 0 {flags}"
        shown = "import json, os; print(json.dumps(dict(os.environ)))"
        dump = shlex.join([sys.executable, "-c", shown])
        done = subprocess.run(
            ["sh", "-euc", f'eval "$({prints})"; {dump}'],
            env={
                "PATH": f"{interpreter(self.version).parent}:/usr/local/bin:/usr/bin:/bin",
                "HOME": str(self.home),
            },
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        variables: dict[str, str] = json.loads(done.stdout)
        return variables

    def python(self, script: str, *, timeout: float = 240) -> str:
        """Run a script on the SDK's Python; returns what it printed, fails if it fails."""
        done = subprocess.run(
            [str(interpreter(self.version)), "-c", script],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
        return done.stdout
