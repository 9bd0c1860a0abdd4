"""The state table of endpoints, against the service model."""

import botocore.session
import pytest

from emulator.lifecycle.endpoint import IN_PROGRESS, MOVES, Event, Phase, advance, born
from emulator.lifecycle.machine import IllegalMove


def test_every_phase_is_a_status_that_the_service_has() -> None:
    service = botocore.session.get_session().get_service_model("sagemaker")
    assert set(Phase) <= set(service.shape_for("EndpointStatus").enum)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_every_event_moves_an_endpoint_or_is_illegal(phase: Phase, event: Event) -> None:
    _, document = born({}, 0.0)
    if (phase, event) in MOVES:
        new, moved = advance(document, phase, event, 1.0)
        assert new is MOVES[phase, event]
        assert (moved["EndpointStatus"], moved["LastModifiedTime"]) == (new, 1.0)
        assert moved["CreationTime"] == 0.0
    else:
        with pytest.raises(IllegalMove, match=f"{event} while {phase}"):
            advance(document, phase, event, 1.0)


def test_only_an_endpoint_at_rest_takes_requests() -> None:
    requests = {Event.UPDATE_REQUESTED, Event.DELETE_REQUESTED}
    at_rest = {start for start, event in MOVES if event in requests}
    assert at_rest == set(Phase) - IN_PROGRESS


def test_a_failed_endpoint_can_only_be_deleted() -> None:
    assert [event for start, event in MOVES if start is Phase.FAILED] == [Event.DELETE_REQUESTED]


def test_a_failed_update_leaves_the_endpoint_in_service() -> None:
    assert MOVES[Phase.UPDATING, Event.FLEET_FAILED] is Phase.IN_SERVICE
    assert MOVES[Phase.CREATING, Event.FLEET_FAILED] is Phase.FAILED


def test_every_phase_can_be_reached_and_has_a_way_to_its_end() -> None:
    reached, ending = {Phase.CREATING}, {Phase.DELETING}
    for _ in Phase:
        reached |= {end for (start, _), end in MOVES.items() if start in reached}
        ending |= {start for (start, _), end in MOVES.items() if end in ending}
    assert reached == ending == set(Phase)
