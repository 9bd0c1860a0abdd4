"""Adapts AWS and SageMaker SDKs to an emulator when they are imported; Python imports this first.

It imports nothing itself, so that starting Python costs no more. It never stops an interpreter:
what can't be adapted stays as it was, with one line on standard error. A `sitecustomize` that this
one shadows runs as if this one were not there. Python 3.8 and later must be able to read it.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = "sagemaker_emulator_shim"
ADAPTED = {
    "botocore.session": ("endpoint", "yield_sts"),
    "botocore.waiter": ("attempts", "scale"),
    # The SDK's versions 1 and 2, then 3.
    "sagemaker.session": ("clock", "compress"),
    "sagemaker.local.entities": ("health", "notice"),
    "sagemaker.local.image": ("containers", "lead"),
    "sagemaker.telemetry.telemetry_logging": ("telemetry", "mute"),
    "sagemaker.serve.utils.telemetry_logger": ("telemetry", "mute"),
    "sagemaker_core.main.resources": ("clock", "shorten"),
    "sagemaker.core.resources": ("clock", "shorten"),
    "sagemaker.core.helper.session_helper": ("clock", "compress"),
    "sagemaker.core.processing": ("clock", "compress"),
    "sagemaker.core.transformer": ("clock", "compress"),
    "sagemaker.core.common_utils": ("clock", "shorten_polls"),
    "sagemaker.core.local.entities": ("health", "notice"),
    "sagemaker.core.local.image": ("containers", "lead"),
    "sagemaker.core.modules.local_core.local_container": ("containers", "lead"),
    "sagemaker.train.local.local_container": ("containers", "lead"),
    "sagemaker.core.telemetry.telemetry_logging": ("telemetry", "mute"),
}
"""Module of an SDK to the module here and its function that adapts it, once it is imported."""


class Adapter:
    """A finder of modules that leaves finding to the others and adapts what they found."""

    def __init__(self) -> None:
        self._finding: set[str] = set()

    def find_spec(
        self,
        name: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        """Return the spec of the other finders, None for all but a few modules."""
        # Other tools' finders that ask all finders as well come back here.
        if name not in ADAPTED or name in self._finding:
            return None
        self._finding.add(name)
        try:
            for finder in sys.meta_path:
                spec = None if finder is self else finder.find_spec(name, path, target)
                if spec is not None:
                    _adapt_after_import(spec)
                    return spec
            return None
        finally:
            self._finding.discard(name)


def _adapt_after_import(spec: "ModuleSpec") -> None:
    # The loader stays the one that was found: resources and sources are read through it.
    loader = spec.loader
    if loader is None:
        return
    execute = loader.exec_module

    def execute_and_adapt(module: "ModuleType") -> None:
        execute(module)
        adapt(module)

    try:
        vars(loader)["exec_module"] = execute_and_adapt
    except TypeError:
        _say("can't follow the import of " + spec.name)


def adapt(module: "ModuleType") -> None:
    """Adapt a module of ADAPTED that has been imported; twice does no harm."""
    stem, function = ADAPTED[module.__name__]
    try:
        adapter = __import__(_PACKAGE + "." + stem, fromlist=[function])
        getattr(adapter, function)(module)
    except Exception as error:
        _say(f"{module.__name__} stays as it is: {error!r}")


def _say(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write("sagemaker-emulator: " + text + "\n")


def _forget_data_as_written() -> None:
    """Take the emulator's waiters from a process that is to wait as its SDK was written."""
    data = os.path.join(os.path.dirname(HERE), "data")
    paths = os.environ.get("AWS_DATA_PATH", "").split(os.pathsep)
    if os.environ.get("SAGEMAKER_EMULATOR_AS_WRITTEN") and data in paths:
        rest = os.pathsep.join(path for path in paths if path != data)
        os.environ["AWS_DATA_PATH"] = rest
        if not rest:
            del os.environ["AWS_DATA_PATH"]


def _hand_on() -> None:
    """Import the `sitecustomize` that would have been found without this directory."""
    own = sys.modules.pop(__name__)
    places = [place for place, path in enumerate(sys.path) if os.path.abspath(path) == HERE]
    for place in reversed(places):
        del sys.path[place]
    try:
        __import__(__name__)
    except ImportError as error:
        if error.name != __name__:
            raise
        sys.modules[__name__] = own
    finally:
        for place in places:
            sys.path.insert(place, HERE)


if __name__ == "sitecustomize":
    try:
        sys.meta_path.insert(0, Adapter())
        _forget_data_as_written()
    except Exception as error:
        _say(repr(error))
    _hand_on()
