"""For all tests: coverage sees what the server's threads run, which are not Python's own."""

import sys
import threading
from typing import Any

import pytest

from emulator import serving


@pytest.fixture(scope="session", autouse=True)
def traced_servers() -> Any:
    """Have each request traced as the threads that Python starts are."""
    runner = serving._runner

    def traced(app: Any) -> Any:
        def run(environ: Any, start_response: Any) -> Any:
            sys.settrace(threading.gettrace())
            return app(environ, start_response)

        return runner(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "_runner", traced)
        yield
