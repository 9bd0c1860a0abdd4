"""CloudWatch Logs as clients read it, where moto's answers are not AWS's; writes no line.

moto looks at every stream of a group whatever prefix is asked for, takes patterns and queries that
it does not understand for ones that everything matches, and finds some group for an ARN of none.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from moto.logs import models
from moto.logs.exceptions import (
    InvalidParameterException,
    LogsClientError,
    ResourceNotFoundException,
)
from moto.logs.models import LogEvent, LogGroup, LogsBackend, LogStream
from moto.logs.responses import LogsResponse

from emulator.storage import log_insights, log_patterns
from emulator.storage.log_words import MalformedQuery

_MOST = 10_000
_MOST_GROUPS = 50
_NO_STREAM = "The specified log stream does not exist."


class MalformedQueryException(LogsClientError):
    def __init__(self, message: str) -> None:
        super().__init__("MalformedQueryException", message)


class Logs(LogsResponse):
    """moto's Logs with the operations that read lines done here."""

    def filter_log_events(self) -> str:
        """Give the lines of the streams that are asked for, in order of time."""
        names, prefix = self._get_param("logStreamNames"), self._get_param("logStreamNamePrefix")
        if names and prefix:
            raise InvalidParameterException(
                "logStreamNames and logStreamNamePrefix can not be given together."
            )
        group = self._group()
        limit = _checked("limit", self._get_param("limit"))
        matches = _matcher(self._get_param("filterPattern") or "")
        since, until = self._time("startTime"), self._time("endTime")
        found = [
            {**event.to_filter_dict(), "logStreamName": stream.log_stream_name}
            for stream in _streams(group, names, prefix or "")
            for event in stream.events
            if (since is None or event.timestamp >= since)
            and (until is None or event.timestamp <= until)
            and matches(event.message)
        ]
        # Always interleaved: AWS ignores the member of that name since 2019.
        found.sort(key=_place)
        page, token = _page(found, self._get_param("nextToken"), limit)
        # AWS has given an empty list of searched streams since 2020.
        return _dump({"events": page, "nextToken": token, "searchedLogStreams": []})

    def get_log_events(self) -> str:
        """Give a page of one stream; unlike everywhere else, the end of the time is not in it."""
        group = self._group()
        stream = group.streams.get(self._get_param("logStreamName"))
        if stream is None:
            raise ResourceNotFoundException(_NO_STREAM)
        since, until = self._time("startTime"), self._time("endTime")
        events, backward, forward = stream.get_log_events(
            since,  # type: ignore[arg-type]
            # moto counts the end in and takes 0 for none; times are whole milliseconds.
            until if until is None else max(until - 1, -1),  # type: ignore[arg-type]
            _checked("limit", self._get_param("limit")),
            self._get_param("nextToken"),
            self._get_param("startFromHead", False),
        )
        return _dump({"events": events, "nextBackwardToken": backward, "nextForwardToken": forward})

    def describe_log_groups(self) -> str:
        """Give a page of the groups by prefix, by a part of the name, or by name and ARN."""
        prefix, part = self._get_param("logGroupNamePrefix"), self._get_param("logGroupNamePattern")
        if prefix and part:
            raise InvalidParameterException(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )
        limit = _checked("limit", self._get_param("limit"), _MOST_GROUPS)
        wanted = [_bare(each) for each in self._get_param("logGroupIdentifiers") or ()]
        after = self._get_param("nextToken") or ""
        found = [
            group
            for name, group in sorted(self.logs_backend.groups.items())
            if name.startswith(prefix or "")
            and (part or "") in name
            and (not wanted or name in wanted or group.arn in wanted)
            and name > after
        ]
        page = found[:limit]
        return _dump(
            {
                "logGroups": [group.to_describe_dict() for group in page],
                "nextToken": page[-1].name if len(found) > limit else None,
            }
        )

    def describe_log_streams(self) -> str:
        reply: dict[str, Any] = json.loads(super().describe_log_streams())
        return _dump(reply)

    def start_query(self) -> str:
        """Carry a query out; its results wait to be asked for."""
        groups = self._queried_groups()
        if (self._get_param("queryLanguage") or "CWLI") != "CWLI":
            raise MalformedQueryException("Of the query languages, only CWLI is emulated.")
        limit = _checked("limit", self._get_param("limit"))
        text = self._get_param("queryString") or ""
        start, end = self._time("startTime"), self._time("endTime")
        if start is None or end is None:
            raise InvalidParameterException("startTime and endTime must be given.")
        query = _Query(self.logs_backend, groups, text, start, end, limit)
        self.logs_backend.queries[query.query_id] = query
        return _dump({"queryId": query.query_id})

    def get_query_results(self) -> str:
        query = self.logs_backend.queries.get(self._get_param("queryId"))
        if query is None:
            raise ResourceNotFoundException("The specified query does not exist.")
        return _dump(query.to_result_json())

    def _time(self, member: str) -> int | None:
        value = self._get_param(member)
        if value is not None and not isinstance(value, int):
            raise InvalidParameterException(f"{member} must be a whole number.")
        return value

    def _group(self) -> LogGroup:
        name, identifier = self._get_param("logGroupName"), self._get_param("logGroupIdentifier")
        if bool(name) == bool(identifier):
            raise InvalidParameterException(
                "Exactly one of logGroupName and logGroupIdentifier must be given."
            )
        return _find(self.logs_backend, identifier, name)

    def _queried_groups(self) -> list[LogGroup]:
        members = ("logGroupName", "logGroupNames", "logGroupIdentifiers")
        given = [value for value in map(self._get_param, members) if value]
        if len(given) != 1:
            raise InvalidParameterException(
                "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given."
            )
        names = [given[0]] if isinstance(given[0], str) else given[0]
        return [_find(self.logs_backend, name) for name in names]


class _Query(models.LogQuery):
    """A query with its results; what moto does with queries otherwise, it does with this, too."""

    def __init__(
        self,
        backend: LogsBackend,
        groups: list[LogGroup],
        text: str,
        start: int,
        end: int,
        limit: int,
    ) -> None:
        super().__init__(str(uuid.uuid4()), start, end, "fields @ptr", [])
        self.query = text
        self.log_group_names = [group.name for group in groups]
        try:
            query = log_insights.parse(text)
        except MalformedQuery as error:
            raise MalformedQueryException(str(error)) from None
        rows = list(_rows(backend, groups, start * 1000, end * 1000 + 999))
        self.results = query.run(rows, limit)
        self._statistics = {
            "recordsMatched": float(query.matched),
            "recordsScanned": float(len(rows)),
            "bytesScanned": float(sum(len(row["@message"].encode()) for row in rows)),
        }

    def to_result_json(self) -> dict[str, Any]:
        return {
            **super().to_result_json(),
            "statistics": self._statistics,
            "queryLanguage": "CWLI",
        }


class _Pattern:
    """What moto looks lines through with, for live tails."""

    def __init__(self, pattern: str) -> None:
        self.matches = _matcher(pattern or "")


def _find(backend: LogsBackend, identifier: str | None = None, name: str | None = None) -> LogGroup:
    """Return a group by its name or its ARN; an identifier is either of them."""
    found = backend.groups.get(name or identifier or "")
    if found is None and identifier:
        arn = _bare(identifier)
        found = next((group for group in backend.groups.values() if group.arn == arn), None)
    if found is None:
        raise ResourceNotFoundException()
    return found


def _bare(identifier: str) -> str:
    """Return an ARN without the end that stands for all streams of the group."""
    return identifier.removesuffix(":*")


def _find_for_moto(
    backend: LogsBackend, log_group_id: str | None = None, log_group_name: str | None = None
) -> LogGroup:
    return _find(backend, log_group_id, log_group_name)


def _streams(group: LogGroup, names: list[str] | None, prefix: str) -> list[LogStream]:
    if not names:
        return [stream for name, stream in group.streams.items() if name.startswith(prefix)]
    if any(name not in group.streams for name in names):
        raise ResourceNotFoundException(_NO_STREAM)
    return [group.streams[name] for name in dict.fromkeys(names)]


def _rows(
    backend: LogsBackend, groups: Iterable[LogGroup], since: int, until: int
) -> Iterator[log_insights.Row]:
    def row(group: LogGroup, stream: LogStream, event: LogEvent) -> log_insights.Row:
        return {
            **log_insights.discovered(event.message),
            "@timestamp": event.timestamp,
            "@ingestionTime": event.ingestion_time,
            "@message": event.message,
            "@logStream": stream.log_stream_name,
            "@log": f"{backend.account_id}:{group.name}",
            "@ptr": str(event.event_id),
        }

    for group in groups:
        for stream in group.streams.values():
            for event in stream.events:
                if since <= event.timestamp <= until:
                    yield row(group, stream, event)


def _matcher(pattern: str) -> log_patterns.Matches:
    try:
        return log_patterns.matcher(pattern)
    except log_patterns.InvalidPattern as error:
        raise InvalidParameterException(str(error)) from None


def _checked(member: str, value: int | None, most: int = _MOST) -> int:
    """Return how many of something are asked for; the most that there may be if none is given."""
    if value is None:
        return most
    if not isinstance(value, int):
        raise InvalidParameterException(f"{member} must be a whole number.")
    if not 1 <= value <= most:
        bound = f"less than or equal to {most}" if value > 1 else "greater than or equal to 1"
        raise InvalidParameterException(
            constraint=f"Member must have value {bound}", parameter=member, value=value
        )
    return value


def _place(event: Mapping[str, Any]) -> tuple[int, int]:
    return event["timestamp"], int(event["eventId"])


def _page(
    events: list[dict[str, Any]], token: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the events after the place that a token names, and the token for those after them."""
    if token:
        try:
            timestamp, event_id = map(int, token.split("/"))
        except ValueError:
            raise InvalidParameterException("The specified nextToken is invalid.") from None
        events = [event for event in events if _place(event) > (timestamp, event_id)]
    page = events[:limit]
    more = len(events) > limit
    return page, "{}/{}".format(*_place(page[-1])) if more else None


def _dump(reply: Mapping[str, Any]) -> str:
    """Return a reply without the members that have no value, as AWS does."""
    return json.dumps({name: value for name, value in reply.items() if value is not None})


_models: Any = models
_models.EventMessageFilter = _Pattern
_models.LogsBackend._find_log_group = _find_for_moto

HANDLERS: Mapping[str, Callable[..., Any]] = {"logs": Logs.dispatch}
"""What answers in place of moto's own handler, by moto's package."""
