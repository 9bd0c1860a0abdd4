"""Everything but the reconciler: a real front, store and S3, and real SDK clients.

`server` is one emulator for each file of tests, emptied for each test. What the reconciler would do
is done by the test: `server.happens(kind, name, *events)` applies state-table events to a resource.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.accelerators import Accelerators
from emulator.call import EVERYTHING, Area, Call, Document, Handler, Kind, Quotas, Record, Scope
from emulator.clock import now
from emulator.kinds import ENDPOINT, NOTEBOOK_INSTANCE, TRAINING_JOB
from emulator.lifecycle import endpoint, notebook_instance, training_job
from emulator.operations import absent, registry
from emulator.protocol.front import create_app
from emulator.protocol.model import sagemaker as service_model
from emulator.protocol.pages import create_pages
from emulator.protocol.parts import Parts
from emulator.serving import Server
from emulator.storage import Storage
from emulator.store.database import Database
from emulator.store.documents import Documents

ACCOUNT, REGION = "123456789012", "us-west-2"
SCOPE = Scope(ACCOUNT, REGION)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/SageMaker"
_LIVES = {ENDPOINT: endpoint, TRAINING_JOB: training_job, NOTEBOOK_INSTANCE: notebook_instance}


class Running:
    """The emulator under test."""

    def __init__(self, directory: Path) -> None:
        self.database = Database(directory / "documents.sqlite")
        self.store = Documents(self.database)
        self.storage = Storage(
            directory / "storage", default_account=ACCOUNT, default_region=REGION
        )
        self.woken: list[tuple[Kind, Scope, str]] = []
        self.default = SCOPE
        self.url = ""
        self.quotas = Quotas()
        self._plays: list[threading.Thread] = []

    def call(self, operation: str, scope: Scope, request_id: str) -> Call:
        def wake(kind: Kind, scope: Scope, name: str) -> None:
            self.woken.append((kind, scope, name))

        objects = self.storage.objects(scope)
        shapes = service_model().shapes
        open_log_group = partial(self.storage.open_log_group, scope)
        return Call(
            *(operation, scope, self.store, objects, wake, open_log_group, request_id, shapes),
            quotas=self.quotas,
        )

    def close(self) -> None:
        self.storage.close()
        self.database.close()

    def happens(
        self, kind: Kind, name: str, *events: str, scope: Scope = SCOPE, **members: Any
    ) -> Record:
        """Apply events to a resource as the reconciler would, and write members of its own."""
        life: Any = _LIVES[kind]
        for event in events:

            def change(record: Record, event: str = event) -> tuple[str, Document]:
                document = {**record.document, **members}
                advanced: tuple[str, Document] = life.advance(
                    document, record.phase, life.Event(event), now()
                )
                return advanced

            self.store.change(kind, scope, name, change, event=event)
        return self.store.fetch(kind, scope, name)

    def meanwhile(self, play: Callable[[], object]) -> None:
        """Let something happen while the test goes on."""
        thread = threading.Thread(target=play)
        self._plays.append(thread)
        thread.start()

    def clear(self, area: Area = EVERYTHING) -> None:
        for play in self._plays:
            play.join(timeout=60)
        self._plays.clear()
        self.store.clear(area)
        self.storage.reset(area)
        self.woken.clear()
        self.quotas = Quotas()


@cache
def _absent() -> Mapping[str, Handler]:
    service = service_model()
    return absent.handlers(service.operations, service.shapes, registry.load())


def _nobody(*arguments: object) -> Any:
    raise AssertionError(f"no endpoint is called here: {arguments!r}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("emulator"))
    parts = Parts(
        handlers=registry.load(),
        absent=_absent,
        call=running.call,
        storage=running.storage.handle,
        runtime=_nobody,
        pages=create_pages(health=dict, reset=running.clear, accelerators=Accelerators()),
        account_of=running.storage.account_of,
        default_scope=SCOPE,
    )
    server = Server(create_app(parts), [("127.0.0.1", 0)], threads=8)
    server.start()
    host, port = server.addresses[0]
    running.url = f"http://{host}:{port}"
    yield running
    server.stop()
    running.close()


@pytest.fixture
def server(running: Running) -> Iterator[Running]:
    yield running
    running.clear()


@pytest.fixture(scope="module")
def clients(running: Running) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    @cache
    def make(service: str, region: str, account: str) -> Any:
        made.append(
            boto3.client(
                service,
                endpoint_url=running.url,
                region_name=region,
                aws_access_key_id=account,
                aws_secret_access_key="any",
                config=Config(retries={"max_attempts": 0}),
            )
        )
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(server: Running, clients: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives a boto3 client of a service, region and account."""

    def of(service: str = "sagemaker", region: str = REGION, account: str = ACCOUNT) -> Any:
        return clients(service, region, account)

    return of


@pytest.fixture
def put(client: Callable[..., Any]) -> Callable[[str, str], None]:
    """Return a function that puts an object into a bucket, which it makes if need be."""
    s3 = client("s3")

    def put(bucket: str, key: str) -> None:
        where = {"LocationConstraint": REGION}
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        s3.put_object(Bucket=bucket, Key=key, Body=b"content")

    return put


@pytest.fixture
def sagemaker(client: Callable[..., Any]) -> Any:
    return client()


@pytest.fixture
def assert_refused() -> Callable[..., None]:
    """Return the check of a refusal: its code, its whole sentence and its HTTP status."""

    def check(call: Callable[[], object], code: str, text: str, status: int = 400) -> None:
        with pytest.raises(ClientError) as refusal:
            call()
        error, meta = refusal.value.response["Error"], refusal.value.response["ResponseMetadata"]
        assert error.get("Message") == text
        assert error.get("Code") == code
        assert meta["HTTPStatusCode"] == status

    return check


def of_arn(segment: str, name: str, region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:sagemaker:{region}:{account}:{segment}/{name}"


@pytest.fixture
def arn() -> Callable[..., str]:
    return of_arn


@pytest.fixture
def job_request(put: Callable[[str, str], None]) -> Callable[..., Document]:
    """Return a function that makes a CreateTrainingJob request; its channel has data in S3."""
    put("data", "mnist/train.npz")

    def make(name: str = "Job-1", **members: Any) -> Document:
        return {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": "chainer:5", "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/mnist"}
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": "s3://out/jobs/"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.xlarge",
                "InstanceCount": 1,
                "VolumeSizeInGB": 10,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        } | members

    return make


@pytest.fixture
def variant() -> Callable[..., Document]:
    def make(name: str = "AllTraffic", **members: Any) -> Document:
        return {
            "VariantName": name,
            "ModelName": "Model-1",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.xlarge",
        } | members

    return make


@pytest.fixture
def model(sagemaker: Any, put: Callable[[str, str], None]) -> str:
    """The name of a model whose data is in S3."""
    put("out", "model.tar.gz")
    sagemaker.create_model(
        ModelName="Model-1",
        PrimaryContainer={"Image": "chainer:5", "ModelDataUrl": "s3://out/model.tar.gz"},
        ExecutionRoleArn=ROLE,
    )
    return "Model-1"


@pytest.fixture
def config(sagemaker: Any, model: str, variant: Callable[..., Document]) -> str:
    """The name of an endpoint configuration with one variant."""
    sagemaker.create_endpoint_config(
        EndpointConfigName="Config-1", ProductionVariants=[variant(ModelName=model)]
    )
    return "Config-1"
