"""What is measured, group by group; every group gives rows of the table."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from emulator.staging import Source, stage
from emulator.storage import Storage
from tests.bench.emulator import Emulator, client
from tests.bench.engine import IMAGE, PORT, Engine
from tests.bench.measure import Row, compare, milliseconds
from tests.bench.resources import BUCKET, Resources

KILOBYTE = 1024
MEGABYTE = 1024 * 1024
_IDLE_SECONDS = 3.0
_OBJECTS = 10_000


def startup(repeats: int) -> Iterator[Row]:
    """Start until ready, a command that needs no emulator, and memory when idle."""

    def ready() -> float:
        with Emulator() as emulator:
            return emulator.ready_ms

    def answered() -> float:
        with Emulator() as emulator:
            return emulator.answered_ms

    def python(*arguments: str) -> float:
        command = [sys.executable, *arguments]
        run = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
        return milliseconds(run)()

    yield compare(
        "start until ready",
        ready,
        ("python -c pass", partial(python, "-c", "pass")),
        repeats=repeats,
        goal=6,
    )
    yield compare(
        "start until the first call is answered",
        answered,
        ("python -c pass", partial(python, "-c", "pass")),
        repeats=repeats,
    )
    yield compare(
        "sagemaker-emulator --help",
        partial(python, "-m", "emulator.cli", "--help"),
        ("python -c 'import click'", partial(python, "-c", "import click")),
        repeats=repeats,
        goal=2,
    )
    with Emulator() as emulator:
        time.sleep(_IDLE_SECONDS)
        idle = emulator.memory_mb()
    yield Row("memory when idle", "goal of 120 MB", "MB", idle, 120, (idle, idle), 1, goal=1)


def jobs(engine: Engine, repeats: int) -> Iterator[Row]:
    """Training jobs whose container exits at once."""

    def docker_run() -> None:
        subprocess.run(["docker", "run", "--rm", IMAGE, "train"], check=True)

    def engine_many() -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: engine.train(), range(8)))
        return 8 / (time.perf_counter() - began)

    with Emulator() as emulator:
        resources = Resources(emulator)
        job = milliseconds(resources.train)
        floor = ("SDK bridge create+start+wait+remove", milliseconds(engine.train))
        yield compare("training job", job, floor, repeats=repeats, goal=0.65)
        if shutil.which("docker"):
            yield compare(
                "training job",
                job,
                ("docker run --rm", milliseconds(docker_run)),
                repeats=repeats,
                goal=0.6,
            )
        yield compare(
            "8 training jobs at once",
            partial(resources.train_many, 8),
            ("SDK bridge, 4 threads", engine_many),
            unit="jobs/s",
            repeats=max(2, repeats // 2),
            goal=1.8,
            more_is_better=True,
        )


def endpoints(engine: Engine, repeats: int) -> Iterator[Row]:
    """Endpoints from CreateEndpoint until InService."""

    def bridge() -> float:
        began = time.perf_counter()
        with engine.serving():
            return (time.perf_counter() - began) * 1000

    with Emulator() as emulator:
        resources = Resources(emulator)
        config = resources.configure()

        def deploy() -> float:
            began = time.perf_counter()
            name = resources.deploy(config)
            took = (time.perf_counter() - began) * 1000
            resources.delete_endpoint(name)
            return took

        yield compare(
            "endpoint until InService",
            deploy,
            ("SDK bridge create until first 200", bridge),
            repeats=repeats,
            goal=0.8,
        )


def invocations(engine: Engine, repeats: int, seconds: float) -> Iterator[Row]:
    """InvokeEndpoint against calling the container itself."""
    with Emulator() as emulator, engine.serving() as address:
        resources = Resources(emulator)
        name = resources.deploy(resources.configure())
        path = f"/endpoints/{name}/invocations"
        for size, connections, latency_goal, rate_goal in (
            (KILOBYTE, 1, None, None),
            (KILOBYTE, 16, None, None),
            (5 * MEGABYTE, 1, None, 0.35),
            (5 * MEGABYTE, 16, None, None),
        ):
            yield from _loaded(
                (emulator.host, emulator.port, path),
                (address, PORT, "/invocations"),
                (size, connections, seconds),
                repeats,
                (latency_goal, rate_goal),
            )
        yield from _through_boto3(emulator.url, f"http://{address}:{PORT}", name, repeats)
    with Emulator() as emulator, engine.serving(0.005) as address:
        resources = Resources(emulator)
        name = resources.deploy(resources.configure(0.005))
        yield from _loaded(
            (emulator.host, emulator.port, f"/endpoints/{name}/invocations"),
            (address, PORT, "/invocations"),
            (KILOBYTE, 16, seconds),
            repeats,
            (None, 0.82),
            note=", 5 ms handler",
        )


def describe(engine: Engine, repeats: int) -> Iterator[Row]:
    """DescribeTrainingJob through boto3, against a server that echoes the request."""
    with Emulator() as emulator, engine.serving() as address:
        resources = Resources(emulator)
        name = resources.train()
        echo = client("sagemaker", f"http://{address}:{PORT}")

        def p50(sagemaker: Any) -> float:
            call = milliseconds(partial(sagemaker.describe_training_job, TrainingJobName=name))
            return median(call() for _ in range(200))

        yield compare(
            "DescribeTrainingJob p50, boto3",
            partial(p50, resources.sagemaker),
            ("boto3 against an echo", partial(p50, echo)),
            repeats=repeats,
            goal=2,
        )


def staging(repeats: int) -> Iterator[Row]:
    """A channel of many objects, on its way from S3 to the container."""
    with tempfile.TemporaryDirectory() as directory:
        target, links = Path(directory, "staged"), Path(directory, "links")
        storage = Storage(Path(directory, "s3"))
        try:
            objects = storage.objects()
            objects.create_bucket_if_absent(BUCKET)
            for n in range(_OBJECTS):
                objects.put_bytes(BUCKET, f"many/{n % 100}/{n}", b"body")
            body = objects.body(BUCKET, "many/0/0")

            def staged() -> float:
                shutil.rmtree(target, ignore_errors=True)
                source = Source(f"s3://{BUCKET}/many")
                return milliseconds(partial(stage, objects, source, target))()

            def linked() -> float:
                shutil.rmtree(links, ignore_errors=True)
                links.mkdir()
                paths = [links / str(n) for n in range(_OBJECTS)]
                return milliseconds(lambda: [os.link(body, path) for path in paths])()

            floor = ("os.link in a loop", linked)
            yield compare("stage 10,000 objects", staged, floor, repeats=repeats, goal=2)
        finally:
            storage.close()


def objects(repeats: int) -> Iterator[Row]:
    """A gigabyte up and down through boto3."""
    with Emulator() as emulator, tempfile.TemporaryDirectory() as directory:
        s3 = Resources(emulator).s3
        source, target = Path(directory, "source"), Path(directory, "target")
        with source.open("wb") as file:
            for _ in range(1024):
                file.write(bytes(MEGABYTE))
        floor = ("copy of the file", milliseconds(partial(shutil.copyfile, source, target)))
        yield compare(
            "upload_file 1 GB",
            milliseconds(partial(s3.upload_file, str(source), BUCKET, "key")),
            floor,
            repeats=repeats,
        )
        yield compare(
            "download_file 1 GB",
            milliseconds(partial(s3.download_file, BUCKET, "key", str(target))),
            floor,
            repeats=repeats,
        )


def _loaded(
    ours: tuple[str, int, str],
    direct: tuple[str, int, str],
    load: tuple[int, int, float],
    repeats: int,
    goals: tuple[float | None, float | None],
    note: str = "",
) -> Iterator[Row]:
    size, connections, seconds = load
    results: dict[tuple[str, int, str], list[dict[str, float]]] = {ours: [], direct: []}

    def run(where: tuple[str, int, str]) -> float:
        words = [str(word) for word in (*where, size, connections, seconds)]
        script = str(Path(__file__).with_name("load.py"))
        ended = subprocess.run(
            [sys.executable, script, *words], check=True, stdout=subprocess.PIPE, timeout=120
        )
        results[where].append(json.loads(ended.stdout))
        return results[where][-1]["p50"]

    amount = f"{size // MEGABYTE} MB" if size >= MEGABYTE else f"{size // KILOBYTE} KB"
    title = f"InvokeEndpoint {amount}, {connections} connection{'s' * (connections > 1)}{note}"
    floor = ("the container itself", partial(run, direct))
    yield compare(f"{title}: p50", partial(run, ours), floor, repeats=repeats, goal=goals[0])
    # The same runs, without the first of each, give the rate.
    rates = {where: [each["rate"] for each in some[1:]] for where, some in results.items()}
    yield Row(
        f"{title}: rate",
        floor[0],
        "req/s",
        median(rates[ours]),
        median(rates[direct]),
        (min(rates[ours]), max(rates[ours])),
        repeats,
        goals[1],
        more_is_better=True,
    )


def _through_boto3(url: str, direct: str, name: str, repeats: int) -> Iterator[Row]:
    ours, container = client("sagemaker-runtime", url), client("sagemaker-runtime", direct)

    def p50(runtime: Any, size: int, calls: int) -> float:
        call = milliseconds(
            lambda: runtime.invoke_endpoint(
                EndpointName=name, Body=b"x" * size, ContentType="application/json"
            )["Body"].read()
        )
        return median(call() for _ in range(calls))

    for words, size, calls, goal in (
        ("1 KB", KILOBYTE, 300, 1.35),
        ("5 MB", 5 * MEGABYTE, 20, None),
    ):
        yield compare(
            f"InvokeEndpoint {words}, boto3: p50",
            partial(p50, ours, size, calls),
            ("boto3 to the container itself", partial(p50, container, size, calls)),
            repeats=repeats,
            goal=goal,
        )
