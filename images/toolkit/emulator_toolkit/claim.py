"""An accelerator for a container of the SageMaker SDK's local mode, asked of the emulator.

The emulator tells its own containers what their accelerator is. Local mode says only that there is
one; which, and whether the CPU may stand in for it, the emulator tells here.
"""

import json
import os
import re
import resource
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from emulator_toolkit import endpoint

FRAMEWORK = "EMULATOR_ACCELERATOR_FRAMEWORK"
"""A variable of images that can use an accelerator: whose framework it is."""
DEVICE = "SAGEMAKER_EMULATOR_ACCELERATOR"
MEMORY = "EMULATOR_ACCELERATOR_MEMORY"
"""The bytes that a process may use of the accelerator's memory; unset for no limit."""
LOCAL = "local_sagemaker_notebook"
_PATH = "/_emulator/accelerators/claims"
_ANSWER_SECONDS = 10.0
_EXHAUSTED = re.compile(
    r"MemoryError|bad_alloc|[Cc]annot allocate memory|[Oo]ut of memory|Failed to allocate"
)


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Tell whether an accelerator must be asked for: one is there, and nobody said which."""
    present = environment.get("SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT") == "true"
    return present and bool(environment.get(FRAMEWORK)) and not environment.get(DEVICE)


def apply() -> None:
    """Set what the accelerator is, for all processes from now on; exits if there may be none."""
    if not is_wanted(os.environ):
        return
    os.environ.update(variables(ask(os.environ)))
    if memory := os.environ.get(MEMORY):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (int(memory), hard))


def ask(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the emulator's answer; the CPU where it gives none. Exits with its refusal."""
    url = environment.get(endpoint.EMULATOR)
    if not url:
        return {"device": "cpu", "reason": "There is no emulator to ask for the accelerator."}
    wanted = {
        "accelerator_type": LOCAL,
        "framework": environment[FRAMEWORK],
        "user": f"local mode, container {socket.gethostname()}",
    }
    request = urllib.request.Request(
        url + _PATH, json.dumps(wanted).encode(), {"Content-Type": "application/json"}
    )
    # What a proxy of the user's leads to is not this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ANSWER_SECONDS) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer
    except urllib.error.HTTPError as refusal:
        if refusal.code in (409, 503):
            sys.exit(str(json.load(refusal)["message"]))
        why = f"answers {refusal.code}"
    except (OSError, ValueError) as error:
        why = f"can't be asked: {error}"
    return {"device": "cpu", "reason": f"The emulator at {url} {why}; the CPU computes."}


def variables(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that an answer means, telling its reason."""
    attached = bool(answer.get("attached"))
    level = "INFO" if attached else "WARNING"
    print(f"{level}: {answer.get('reason', '')}", file=sys.stderr, flush=True)
    memory = answer.get("memory_bytes") if attached else None
    limit = {MEMORY: str(memory)} if memory else {}
    return {DEVICE: str(answer.get("device") or "cpu"), **limit}


def exhausted(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a sentence for an error of memory under the accelerator's limit, else nothing."""
    if not environment.get(MEMORY) or not _EXHAUSTED.search(text):
        return ""
    return (
        f"The accelerator's memory is {int(environment[MEMORY]) / 2**30:g} GiB,"
        " and the model needs more."
    )
