"""CloudWatch Logs as boto3 reads it: of several jobs, one job's lines, whole and in order."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, REGION, Served, serving

from emulator.call import Scope
from emulator.logs import LogLine

SCOPE = Scope(ACCOUNT, REGION)
GROUP = "/aws/sagemaker/TrainingJobs"
ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}"
START = 1_700_000_000
JOBS = {
    "digits-1/algo-1-17": ["loss=0.9; acc=0.1", "ERROR disk is full", "done"],
    "digits-1/algo-2-17": ["loss=0.5; acc=0.4", "WARN slow", 'say "hi" twice'],
    "digits-10/algo-1-17": [
        "loss=0.7; acc=0.3",
        '{"level": "ERROR", "at": {"step": 7}, "ok": true}',
    ],
    "other/algo-1-17": ["ERROR of another job"],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("storage")) as served:
        for offset, (stream, texts) in enumerate(JOBS.items()):
            lines = [LogLine(START + 10 * n + offset, text) for n, text in enumerate(texts)]
            served.storage.put_log_lines(SCOPE, GROUP, stream, lines)
        served.storage.put_log_lines(SCOPE, "/aws/sagemaker/Endpoints/e", "AllTraffic/i-1", [])
        yield served


@pytest.fixture(scope="module")
def logs(served: Served) -> Any:
    return served.client("logs")


def messages(reply: Any) -> list[str]:
    return [event["message"] for event in reply["events"]]


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 501)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("group", [{"logGroupName": GROUP}, {"logGroupIdentifier": GROUP}])
def test_a_prefix_gives_the_lines_of_its_streams_alone_in_order_of_time(
    logs: Any, group: dict[str, str]
) -> None:
    reply = logs.filter_log_events(**group, logStreamNamePrefix="digits-1/")
    assert messages(reply) == [
        "loss=0.9; acc=0.1",
        "loss=0.5; acc=0.4",
        "ERROR disk is full",
        "WARN slow",
        "done",
        'say "hi" twice',
    ]
    assert {event["logStreamName"] for event in reply["events"]} == {
        "digits-1/algo-1-17",
        "digits-1/algo-2-17",
    }
    assert "nextToken" not in reply
    assert messages(logs.filter_log_events(**group, logStreamNamePrefix="nobody/")) == []


def test_streams_by_name_and_an_absent_one(logs: Any) -> None:
    names = ["other/algo-1-17", "digits-10/algo-1-17", "other/algo-1-17"]
    reply = logs.filter_log_events(logGroupName=GROUP, logStreamNames=names)
    assert messages(reply)[:2] == ["loss=0.7; acc=0.3", "ERROR of another job"]
    assert len(reply["events"]) == 3
    assert refused(
        logs.filter_log_events, logGroupName=GROUP, logStreamNames=["other/algo-1-17", "absent"]
    ) == ("ResourceNotFoundException", "The specified log stream does not exist.")


def test_what_contradicts_itself_or_is_not_there_is_refused(logs: Any) -> None:
    both = {"logStreamNames": ["other/algo-1-17"], "logStreamNamePrefix": "digits"}
    for arguments, code in (
        ({"logGroupName": GROUP, **both}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "logGroupIdentifier": ARN}, "InvalidParameterException"),
        ({}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "limit": 10_001}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "nextToken": "nonsense"}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "filterPattern": '"open'}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "filterPattern": "a.b"}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "filterPattern": "%(a+)+b%"}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "filterPattern": "%ERROR disk%"}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "filterPattern": "%[%"}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "filterPattern": "%é%"}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "filterPattern": "{ $.level = ERROR }"}, "NotImplemented"),
        ({"logGroupName": GROUP, "filterPattern": "[a, b]"}, "NotImplemented"),
        ({"logGroupName": "absent"}, "ResourceNotFoundException"),
        ({"logGroupIdentifier": ARN + "2"}, "ResourceNotFoundException"),
    ):
        assert refused(logs.filter_log_events, **arguments)[0] == code


@pytest.mark.parametrize("identifier", [ARN, ARN + ":*"])
def test_an_arn_leads_to_its_own_group(logs: Any, identifier: str) -> None:
    assert len(logs.filter_log_events(logGroupIdentifier=identifier)["events"]) == 9
    streams = logs.describe_log_streams(logGroupIdentifier=identifier)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == sorted(JOBS)
    assert refused(logs.describe_log_streams, logGroupIdentifier=ARN + "2") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )


@pytest.mark.parametrize(
    "pattern, found",
    [
        ("", 9),
        ("ERROR", 3),
        ("error", 0),
        ('"disk is full"', 1),
        ("ERROR disk", 1),
        ("?ERROR ?WARN", 4),
        ("ERROR -disk", 2),
        ("-ERROR", 6),
        ('"say \\"hi\\""', 1),
        ("%loss=0.[57]%", 2),
        ("%ERROR\\sdisk|^done$%", 2),
        ('?"WARN slow" ?done', 2),
        ("ERROR ?WARN", 3),
    ],
)
def test_a_pattern_finds_what_it_says(logs: Any, pattern: str, found: int) -> None:
    reply = logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)
    assert len(reply["events"]) == found


def test_times_bound_the_lines_on_both_sides(logs: Any) -> None:
    at = START * 1000
    reply = logs.filter_log_events(logGroupName=GROUP, startTime=at + 1000, endTime=at + 3000)
    assert [event["timestamp"] - at for event in reply["events"]] == [1000, 2000, 3000]
    stream = {"logGroupName": GROUP, "logStreamName": "digits-1/algo-1-17", "startFromHead": True}
    # There, and only there, the end is not counted in.
    reply = logs.get_log_events(**stream, startTime=at, endTime=at + 10_000)
    assert messages(reply) == ["loss=0.9; acc=0.1"]
    assert messages(logs.get_log_events(**stream, endTime=0)) == []
    assert messages(logs.filter_log_events(logGroupName=GROUP, endTime=0)) == []


@pytest.mark.parametrize("size", [1, 2, 4, 9])
def test_pages_give_every_line_once(logs: Any, size: int) -> None:
    pages = list(
        logs.get_paginator("filter_log_events").paginate(
            logGroupName=GROUP, PaginationConfig={"PageSize": size}
        )
    )
    assert [len(page["events"]) for page in pages] == [size] * (9 // size) + [9 % size] * (
        9 % size > 0
    )
    identifiers = [event["eventId"] for page in pages for event in page["events"]]
    assert len(set(identifiers)) == 9


def test_a_token_goes_on_where_it_was_though_lines_come_in_between(served: Served) -> None:
    logs, group = served.client("logs"), "/growing"
    served.storage.put_log_lines(SCOPE, group, "a", [LogLine(1.0, "a1"), LogLine(2.0, "a2")])
    first = logs.filter_log_events(logGroupName=group, limit=1)
    served.storage.put_log_lines(SCOPE, group, "b", [LogLine(0.5, "late"), LogLine(1.5, "b1")])
    rest = logs.filter_log_events(logGroupName=group, nextToken=first["nextToken"])
    assert messages(first) + messages(rest) == ["a1", "b1", "a2"]


def test_the_lines_of_a_stream_are_read_on_by_their_tokens(served: Served) -> None:
    logs = served.client("logs")
    stream = {"logGroupName": "/followed", "logStreamName": "s"}
    served.storage.put_log_lines(SCOPE, "/followed", "s", [])
    reply = logs.get_log_events(**stream, startFromHead=True)
    seen: list[str] = []
    for n in range(3):
        served.storage.put_log_lines(SCOPE, "/followed", "s", [LogLine(float(n), f"line {n}")])
        reply = logs.get_log_events(**stream, nextToken=reply["nextForwardToken"])
        seen += messages(reply)
    assert seen == ["line 0", "line 1", "line 2"]
    again = logs.get_log_events(**stream, nextToken=reply["nextForwardToken"])
    assert (messages(again), again["nextForwardToken"]) == ([], reply["nextForwardToken"])
    assert messages(logs.get_log_events(**stream, limit=2)) == ["line 1", "line 2"]
    assert refused(logs.get_log_events, **(stream | {"logStreamName": "absent"})) == (
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )


def test_streams_are_listed_by_prefix_or_by_their_last_line(logs: Any) -> None:
    def names(**arguments: Any) -> list[str]:
        reply = logs.describe_log_streams(logGroupName=GROUP, **arguments)
        assert "nextToken" not in reply
        return [stream["logStreamName"] for stream in reply["logStreams"]]

    assert names(logStreamNamePrefix="digits-1/") == ["digits-1/algo-1-17", "digits-1/algo-2-17"]
    assert names(logStreamNamePrefix="nobody") == []
    assert names(orderBy="LastEventTime", descending=True) == [
        "digits-1/algo-2-17",
        "digits-1/algo-1-17",
        "digits-10/algo-1-17",
        "other/algo-1-17",
    ]
    assert refused(
        logs.describe_log_streams,
        logGroupName=GROUP,
        logStreamNamePrefix="digits",
        orderBy="LastEventTime",
    ) == (
        "InvalidParameterException",
        "Cannot order by LastEventTime with a logStreamNamePrefix.",
    )


def test_groups_are_listed_by_prefix_by_a_part_of_the_name_and_by_identifier(logs: Any) -> None:
    def names(**arguments: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_groups").paginate(
            **arguments, PaginationConfig={"PageSize": 1}
        )
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    every = ["/aws/sagemaker/Endpoints/e", GROUP]
    assert names(logGroupNamePrefix="/aws/") == every
    assert names(logGroupNamePrefix="/aws/sagemaker/T") == names(logGroupNamePattern="Training")
    assert names(logGroupNamePattern="training") == []
    assert logs.describe_log_groups(logGroupIdentifiers=[ARN])["logGroups"][0]["arn"] == ARN + ":*"
    for arguments in (
        {"logGroupNamePrefix": "/aws", "logGroupNamePattern": "aws"},
        {"limit": 51},
    ):
        code, _ = refused(logs.describe_log_groups, **arguments)
        assert code == "InvalidParameterException"


def test_a_pattern_with_many_stars_ends_at_once(logs: Any, served: Served) -> None:
    served.storage.put_log_lines(SCOPE, "/long", "s", [LogLine(START, "a" * 20_000)])
    names = [f"f{n}" for n in range(40)]
    query = f"parse @message '{'*a' * 39}*b' as {', '.join(names)} | filter ispresent(f0)"
    assert asked(logs, query, logGroupNames=["/long"]) == []


def asked(logs: Any, query: str, **arguments: Any) -> list[dict[str, str]]:
    """Return what a query finds, without the pointers."""
    window = {"startTime": START - 10, "endTime": START + 100}
    groups = arguments.keys() & {"logGroupNames", "logGroupIdentifiers"}
    chosen = {} if groups else {"logGroupName": GROUP}
    reply = logs.start_query(**(window | chosen | arguments), queryString=query)
    reply = logs.get_query_results(queryId=reply["queryId"])
    assert reply["status"] == "Complete"
    rows = [{cell["field"]: cell["value"] for cell in row} for row in reply["results"]]
    assert all(row.pop("@ptr") for row in rows)
    return rows


@pytest.mark.parametrize(
    "query, found",
    [
        ('fields @message | filter @logStream like "digits-1/"', 6),
        ("fields @message | filter @logStream like /^digits-10?\\//", 8),
        ("filter @message like /(?i)error/ | fields @message", 3),
        ("filter @message not like 'ERROR'", 6),
        ("filter not (@message like 'ERROR') and @logStream != 'other/algo-1-17'", 6),
        ('filter @message =~ "done" or @message = "WARN slow"', 2),
        ("filter @logStream in ['other/algo-1-17', \"digits-10/algo-1-17\"]", 3),
        ("filter level = 'ERROR' and at.step >= 7 and ok = 'true'", 1),
        ("filter ispresent(level)", 1),
        ("filter at.step < 7", 0),
        ("parse @message 'loss=*; acc=*' as loss, acc | filter loss > 0.5", 2),
        ("parse 'E*O*R' as first, second | filter first = 'RR' and second = ''", 3),
        ("parse 'E*O* *' as a, b, c | filter a = 'RR' and b = 'R' and c like 'another'", 1),
        ("parse 's=**; a' as none, all | filter none = '' and all = '0.9'", 1),
        ("parse /(E)(?<rest>RR)(OR)?/ | filter rest = 'RR'", 3),
        ("parse @message '*' as @timestamp | fields @timestamp", 9),
        ("# the newest\nfields @message\n| limit 2", 2),
        ("FIELDS `@message` | LIMIT 3", 3),
    ],
)
def test_a_query_finds_what_its_clauses_say(logs: Any, query: str, found: int) -> None:
    assert len(asked(logs, query)) == found


def test_a_query_gives_its_fields_sorted_and_cut(logs: Any) -> None:
    rows = asked(
        logs,
        "fields @timestamp, @message | parse /loss=(?<loss>[0-9.]+); acc=(?<acc>[0-9.]+)/"
        " | filter ispresent(loss) | sort acc asc | display loss, acc, @logStream as stream",
    )
    assert rows == [
        {"loss": "0.9", "acc": "0.1", "stream": "digits-1/algo-1-17"},
        {"loss": "0.7", "acc": "0.3", "stream": "digits-10/algo-1-17"},
        {"loss": "0.5", "acc": "0.4", "stream": "digits-1/algo-2-17"},
    ]
    assert asked(logs, "filter @message like 'WARN'") == [
        {"@timestamp": "2023-11-14 22:13:31.000", "@message": "WARN slow"}
    ]
    assert asked(logs, "fields @log | sort @timestamp desc", limit=1) == [
        {"@log": f"{ACCOUNT}:{GROUP}"}
    ]
    newest = [row["@message"] for row in asked(logs, "fields @message")]
    oldest = [row["@message"] for row in asked(logs, "fields @message | sort @timestamp asc")]
    assert newest == oldest[::-1]


def test_a_query_looks_into_the_groups_and_the_time_that_it_names(logs: Any) -> None:
    query = "fields @message"
    assert asked(logs, query, startTime=START + 3, endTime=START + 3) == [
        {"@message": "ERROR of another job"}
    ]
    assert len(asked(logs, query, logGroupNames=[GROUP, "/aws/sagemaker/Endpoints/e"])) == 9
    assert len(asked(logs, query, logGroupIdentifiers=[ARN])) == 9
    window = {"startTime": 1, "endTime": 2, "queryString": query}
    assert refused(logs.start_query, **window, logGroupName="absent")[0] == (
        "ResourceNotFoundException"
    )
    assert refused(logs.start_query, **window)[0] == "InvalidParameterException"
    assert refused(logs.get_query_results, queryId="absent")[0] == "ResourceNotFoundException"


def test_a_querys_statistics_count_what_it_read_and_what_it_found(logs: Any) -> None:
    reply = logs.start_query(
        logGroupName=GROUP,
        startTime=START,
        endTime=START + 100,
        queryString="filter @message like 'ERROR' | limit 1",
    )
    reply = logs.get_query_results(queryId=reply["queryId"])
    sizes = sum(len(text) for texts in JOBS.values() for text in texts)
    assert reply["statistics"] == {
        "recordsMatched": 3.0,
        "recordsScanned": 9.0,
        "bytesScanned": float(sizes),
    }


@pytest.mark.parametrize(
    "query, part",
    [
        ("stats count(*) by @logStream", "'stats' is no command that is emulated"),
        ("fields @message | dedup @message", "'dedup' is no command"),
        ("fields strlen(@message)", "The function 'strlen' is not emulated"),
        ("filter strcontains(@message, 'x')", "The function 'strcontains' is not emulated"),
        ("fields @message | ", "the end of the query"),
        ("filter @message", "A comparison is expected"),
        ("filter (@message like 'x'", "')' is expected"),
        ("filter @message like x", "like takes a text or a regular expression"),
        ("filter @message like /(/", "is no regular expression"),
        ("limit many", "limit takes a number"),
        ("limit 10001", "limit takes a number"),
        ("limit " + "9" * 5000, "limit takes a number"),
        ("filter " + "(" * 5000, "nested too deeply"),
        ("parse @message 'a=* b=*' as a", "2 stars for 1 names"),
        ("fields @message; fields @log", "position"),
        ("#" * 200 + "\n;", "position"),
        ("fields @message fields @log", "'|' is expected"),
        ("fields a + b", "position"),
        ("SELECT 1", "'SELECT' is no command"),
    ],
)
def test_a_clause_that_is_not_understood_is_refused(logs: Any, query: str, part: str) -> None:
    code, message = refused(
        logs.start_query, logGroupName=GROUP, startTime=1, endTime=2, queryString=query
    )
    assert code == "MalformedQueryException"
    assert part in message
