"""The state table of training jobs, against the service model and by random walks."""

from itertools import pairwise
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.lifecycle.machine import IllegalMove
from emulator.lifecycle.training_job import (
    FINAL,
    MEANING,
    MOVES,
    Event,
    Phase,
    advance,
    born,
    remark,
)


@pytest.fixture(scope="module")
def service() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def _walk(*events: Event, **members: Any) -> tuple[Phase, dict[str, Any]]:
    """Return where a job is after events at seconds 1, 2, …; it was born at second 0."""
    phase, document = born({"TrainingJobName": "j", **members}, 0.0)
    for at, event in enumerate(events, start=1):
        phase, document = advance(document, phase, event, float(at))
    return phase, document


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_means_statuses_that_the_service_has(service: Any, phase: Phase) -> None:
    meaning = MEANING[phase]
    assert meaning.status in service.shape_for("TrainingJobStatus").enum
    assert meaning.secondary in service.shape_for("SecondaryStatus").enum


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_every_event_moves_a_job_or_is_illegal(phase: Phase, event: Event) -> None:
    _, document = born({}, 0.0)
    if (phase, event) in MOVES:
        assert advance(document, phase, event, 1.0)[0] is MOVES[phase, event]
    else:
        with pytest.raises(IllegalMove, match=f"{event} while {phase}"):
            advance(document, phase, event, 1.0)


def test_only_final_phases_have_no_way_on_and_every_phase_has_a_way_to_one() -> None:
    on = {start for start, _ in MOVES}
    assert set(Phase) - on == FINAL
    ending = set(FINAL)
    for _ in Phase:
        ending |= {start for (start, _), end in MOVES.items() if end in ending}
    assert ending == set(Phase)


def test_every_phase_can_be_reached() -> None:
    reached = {Phase.STARTING}
    for _ in Phase:
        reached |= {end for (start, _), end in MOVES.items() if start in reached}
    assert reached == set(Phase)


def test_a_stop_can_be_asked_for_in_every_phase_that_is_not_final() -> None:
    stoppable = {start for start, event in MOVES if event is Event.STOP_REQUESTED}
    assert stoppable == set(Phase) - FINAL


@pytest.mark.parametrize(
    "events, status, seen",
    [
        (
            ["DownloadBegun", "Launched", "ExitedZero", "Saved"],
            "Completed",
            ["Starting", "Downloading", "Training", "Uploading", "Completed"],
        ),
        (
            ["Launched", "ExitedZero", "Saved"],
            "Completed",
            ["Starting", "Training", "Uploading", "Completed"],
        ),
        (
            ["Launched", "ExitedNonzero", "Saved"],
            "Failed",
            ["Starting", "Training", "Uploading", "Failed"],
        ),
        (["StopRequested", "NothingRan"], "Stopped", ["Starting", "Stopping", "Stopped"]),
        (
            ["Launched", "StopRequested", "Exited", "Saved"],
            "Stopped",
            ["Starting", "Training", "Stopping", "Uploading", "Stopped"],
        ),
        (
            ["Launched", "StopRequested", "Exited", "Fault"],
            "Stopped",
            ["Starting", "Training", "Stopping", "Uploading", "Stopped"],
        ),
        (
            ["Launched", "RuntimeExceeded", "Exited", "Saved"],
            "Stopped",
            ["Starting", "Training", "Stopping", "Uploading", "MaxRuntimeExceeded"],
        ),
        (
            ["Launched", "ExitedZero", "StopRequested", "Saved"],
            "Stopped",
            ["Starting", "Training", "Uploading", "Stopped"],
        ),
        (["Fault"], "Failed", ["Starting", "Failed"]),
    ],
)
def test_a_life_shows_these_statuses(events: list[str], status: str, seen: list[str]) -> None:
    _, document = _walk(*map(Event, events))
    assert document["TrainingJobStatus"] == status
    assert [entered["Status"] for entered in document["SecondaryStatusTransitions"]] == seen


@st.composite
def walks(draw: st.DrawFn) -> list[tuple[Phase, dict[str, Any]]]:
    """All the (phase, document) of a job driven by random legal events until it ends."""
    at = draw(st.floats(0, 2e9))
    steps = [born({"TrainingStartTime": at} if draw(st.booleans()) else {}, at)]
    while steps[-1][0] not in FINAL and len(steps) < 20:
        phase, document = steps[-1]
        events = sorted(event for start, event in MOVES if start is phase)
        at += draw(st.floats(0, 1e6))
        steps.append(advance(document, phase, draw(st.sampled_from(events)), at))
    return steps


@given(walks())
def test_the_transitions_of_any_life_join_without_a_gap(
    steps: list[tuple[Phase, dict[str, Any]]],
) -> None:
    for phase, document in steps:
        transitions = document["SecondaryStatusTransitions"]
        assert transitions[0]["StartTime"] == document["CreationTime"]
        for one, following in pairwise(transitions):
            assert one["EndTime"] == following["StartTime"] >= one["StartTime"]
            assert one["Status"] != following["Status"]
        last = transitions[-1]
        assert last["Status"] == document["SecondaryStatus"] == MEANING[phase].secondary
        assert document["TrainingJobStatus"] == MEANING[phase].status
        assert ("EndTime" in last) is (phase in FINAL)


@given(walks())
def test_only_an_ended_life_that_had_instances_has_a_duration(
    steps: list[tuple[Phase, dict[str, Any]]],
) -> None:
    for phase, document in steps:
        timed = phase in FINAL and "TrainingStartTime" in document
        assert ("TrainingTimeInSeconds" in document) is timed
        if timed:
            seconds = document["TrainingTimeInSeconds"]
            assert seconds == document["BillableTimeInSeconds"]
            assert seconds >= 1
        if phase in FINAL:
            assert document["TrainingEndTime"] <= document["LastModifiedTime"]


def test_a_failed_job_ended_when_its_failure_was_seen() -> None:
    _, failed = _walk(Event.LAUNCHED, Event.EXITED_NONZERO, Event.SAVED)
    _, completed = _walk(Event.LAUNCHED, Event.EXITED_ZERO, Event.SAVED)
    assert (failed["TrainingEndTime"], completed["TrainingEndTime"]) == (2.0, 3.0)


def test_times_are_whole_seconds_and_never_less_than_one() -> None:
    to_the_end = (Event.LAUNCHED, Event.EXITED_ZERO, Event.SAVED)
    for started, seconds in ((0.4, 3), (2.9, 1)):
        _, document = _walk(*to_the_end, TrainingStartTime=started)
        assert document["TrainingTimeInSeconds"] == seconds


def test_moving_leaves_the_old_document_as_it_was() -> None:
    phase, document = born({}, 0.0)
    advance(document, phase, Event.STOP_REQUESTED, 1.0)
    assert document == born({}, 0.0)[1]


def test_a_repeated_stop_changes_nothing() -> None:
    phase, document = _walk(Event.STOP_REQUESTED)
    assert advance(document, phase, Event.STOP_REQUESTED, 9.0) == (phase, document)


def test_a_remark_replaces_the_message_within_the_status() -> None:
    _, document = _walk(Event.LAUNCHED)
    remarked = remark(document, "Training image download completed.", 5.0)
    first, last = remarked["SecondaryStatusTransitions"]
    assert first == document["SecondaryStatusTransitions"][0]
    assert last["StatusMessage"] == "Training image download completed."
    assert last["StartTime"] == 1.0
    assert remarked["LastModifiedTime"] == 5.0


@pytest.mark.parametrize(
    "took, spot, seconds, billed",
    [
        (0.2, False, 1, 1),
        (100.4, False, 100, 100),
        (0.2, True, 2, 1),
        (3.0, True, 3, 1),
        (500.0, True, 500, 150),
    ],
)
def test_of_a_spot_job_a_share_is_billed(
    took: float, spot: bool, seconds: int, billed: int
) -> None:
    members = {"EnableManagedSpotTraining": spot, "TrainingStartTime": 10.0 - took}
    phase, document = _walk(*[Event.LAUNCHED, Event.EXITED_ZERO], **members)
    _, document = advance(document, phase, Event.SAVED, 10.0)
    told = document["TrainingTimeInSeconds"], document["BillableTimeInSeconds"]
    assert told == (seconds, billed)
