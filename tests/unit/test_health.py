"""Health names the parts that do not work; a thread that dies is such a part."""

import threading

import pytest

from emulator.health import Health


def test_a_part_is_in_trouble_until_it_is_well() -> None:
    health = Health()
    assert health.troubled("engine", "it is silent")
    assert not health.troubled("engine", "it is gone")
    assert health.troubles() == {"engine": "it is gone"}
    health.well("engine")
    health.well("never in trouble")
    assert health.troubles() == {}


def test_a_thread_that_an_exception_ends_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("it is odd")

    health, former = Health(), threading.excepthook
    health.watch()
    try:
        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join()
    finally:
        health.unwatch()
    assert threading.excepthook is former
    assert health.troubles() == {"worker": "it ended with ValueError: it is odd"}
    assert caplog.text.count("Traceback") == 1
