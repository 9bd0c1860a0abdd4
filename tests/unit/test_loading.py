"""One thread loads all parts, in their order; who waits for one hears how it went."""

import threading
from collections.abc import Callable

import pytest

from emulator.errors import PermanentError
from emulator.loading import Loading, LoadingFailed


def run(parts: dict[str, Callable[[], object]]) -> tuple[Loading, list[PermanentError]]:
    failures: list[PermanentError] = []
    loading = Loading(parts)
    loading.start(failures.append)
    return loading, failures


def test_parts_are_loaded_in_their_order_by_one_thread() -> None:
    seen: list[tuple[str, threading.Thread]] = []
    parts = {
        name: lambda name=name: seen.append((name, threading.current_thread())) for name in "cab"
    }
    loading, failures = run(parts)
    for name in "bac":
        loading.wait(name)
    assert [name for name, _ in seen] == ["c", "a", "b"]
    assert len({thread for _, thread in seen}) == 1
    assert threading.current_thread() not in {thread for _, thread in seen}
    assert failures == []


def test_one_waits_for_nothing_but_the_part_that_one_needs() -> None:
    go_on = threading.Event()
    loading, _ = run({"quick": lambda: None, "slow": lambda: go_on.wait(60)})
    loading.wait("quick")
    go_on.set()
    loading.wait("slow")


@pytest.mark.parametrize("error", [ImportError("it is broken"), SystemExit("it is broken")])
def test_a_failure_is_told_to_whoever_needs_the_part_and_to_the_owner(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    loading, failures = run({"moto": fail, "other": lambda: None})
    loading.wait("other")
    for _ in range(2):
        with pytest.raises(LoadingFailed, match=r"moto can't be loaded .*: it is broken"):
            loading.wait("moto")
    assert [str(failure) for failure in failures] == [
        f"The emulator can't work: moto can't be loaded ({type(error).__name__}: it is broken)."
    ]
    assert "Traceback" in caplog.text


def test_a_sentence_of_the_part_itself_is_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    damaged = PermanentError("The file is damaged.")

    def fail() -> None:
        raise damaged

    loading, failures = run({"state": fail})
    with pytest.raises(PermanentError, match=r"^The file is damaged\.$"):
        loading.wait("state")
    assert failures == [damaged]
    assert caplog.text == ""


def test_the_end_comes_after_the_part_under_way_and_before_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began, go_on = threading.Event(), threading.Event()
    loaded: list[str] = []

    def slow() -> None:
        began.set()
        go_on.wait(60)
        loaded.append("slow")

    loading, failures = run({"slow": slow, "next": lambda: loaded.append("next")})
    assert began.wait(60)
    stopping = threading.Thread(target=loading.stop)
    stopping.start()
    while not loading.stopping:
        pass
    go_on.set()
    stopping.join()
    loading.wait("slow")
    with pytest.raises(LoadingFailed, match="The emulator ends"):
        loading.wait("next")
    assert loaded == ["slow"]
    assert failures == []
    assert caplog.text == ""


def test_what_never_began_is_stopped_at_once() -> None:
    Loading({"some": lambda: None}).stop()


def test_who_waits_for_what_never_began_to_load_hears_of_the_end() -> None:
    loading = Loading({"a part": lambda: None})
    loading.stop()
    loading.stop()
    with pytest.raises(LoadingFailed, match="The emulator ends"):
        loading.wait("a part")
