"""The state table of notebook instances, against the service model."""

import botocore.session
import pytest

from emulator.lifecycle.machine import IllegalMove
from emulator.lifecycle.notebook_instance import (
    IDLE,
    MOVES,
    Event,
    Phase,
    advance,
    born,
    sources,
)


def test_every_phase_is_a_status_that_the_service_has() -> None:
    service = botocore.session.get_session().get_service_model("sagemaker")
    assert set(Phase) <= set(service.shape_for("NotebookInstanceStatus").enum)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_every_event_moves_an_instance_or_is_illegal(phase: Phase, event: Event) -> None:
    _, document = born({}, 0.0)
    if (phase, event) in MOVES:
        new, moved = advance(document, phase, event, 1.0)
        assert new is MOVES[phase, event]
        assert (moved["NotebookInstanceStatus"], moved["LastModifiedTime"]) == (new, 1.0)
        assert moved["CreationTime"] == 0.0
    else:
        with pytest.raises(IllegalMove, match=f"{event} while {phase}"):
            advance(document, phase, event, 1.0)


def test_an_idle_instance_takes_every_request_but_a_stop() -> None:
    for event in (Event.START_REQUESTED, Event.UPDATE_REQUESTED, Event.DELETE_REQUESTED):
        assert sources(event) == [Phase.STOPPED, Phase.FAILED]
        assert set(sources(event)) == IDLE
    assert sources(Event.STOP_REQUESTED) == [Phase.IN_SERVICE]


def test_every_phase_can_be_reached_and_has_a_way_to_its_end() -> None:
    reached, ending = {Phase.PENDING}, {Phase.DELETING}
    for _ in Phase:
        reached |= {end for (start, _), end in MOVES.items() if start in reached}
        ending |= {start for (start, _), end in MOVES.items() if end in ending}
    assert reached == ending == set(Phase)
