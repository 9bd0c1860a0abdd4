"""For all tests: what may run side by side, and what coverage sees."""

import sys
import threading
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from emulator import serving


class Scheduling(LoadFileScheduling):
    """Gives the tests of one file to one process, as they share what it makes, and more together.

    The SDK's local mode has one port and one network, and the launcher's tests look at everything
    that bears their label.
    """

    def _split_scope(self, nodeid: str) -> str:
        together = ("tests/sdk/", "tests/component/test_launcher_")
        return next(
            (each for each in together if nodeid.startswith(each)), nodeid.partition("::")[0]
        )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Say which tests may run side by side, where several processes share the work."""
    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def traced_servers() -> Any:
    """Have each request traced, as the threads that Python starts are and the server's are not."""
    runner = serving._runner

    def traced(app: Any) -> Any:
        def run(environ: Any, start_response: Any) -> Any:
            sys.settrace(threading.gettrace())
            return app(environ, start_response)

        return runner(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "_runner", traced)
        yield
