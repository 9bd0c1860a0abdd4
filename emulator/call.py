"""The vocabulary that protocol/, operations/ and store/ share; pure.

A *document* is the JSON form of one resource. A *scope* is whose resource it is. A *record* is a
document as the store keeps it. A *call* is one request on its way to a handler.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from emulator.errors import ValidationException

Document = dict[str, Any]


@dataclass(frozen=True, order=True)
class Scope:
    """Whose resources: read from the credential scope of a request's signature."""

    account: str
    region: str


@dataclass(frozen=True)
class Area:
    """The scopes of an account, of a region, of both, or all of them; None stands for any."""

    account: str | None = None
    region: str | None = None

    def covers(self, scope: Scope) -> bool:
        """Tell whether the scope belongs to it."""
        return self.account in (None, scope.account) and self.region in (None, scope.region)


EVERYTHING = Area()


@dataclass(frozen=True)
class Kind:
    """One kind of resource and SageMaker's own sentences about it (contract A4).

    ``absent`` and ``taken`` may hold ``{arn}`` and ``{name}``; ``taken_error`` is the class raised
    when the name is in use, ``absent_error`` the one when there is no such resource.
    """

    name: str
    arn_segment: str
    absent: str
    taken: str
    taken_error: type[Exception]
    absent_error: type[Exception] = ValidationException

    def missing(self, arn: str, name: str) -> Exception:
        """Return the error about a resource of this kind that is not there."""
        return self.absent_error(self.absent.format(arn=arn, name=name))


@dataclass(frozen=True)
class Record:
    """A document as the store keeps it.

    Attributes:
        arn: the lower-cased ARN (contract A6).
        phase: the state's name in the kind's state table.
        version: grows by one with every write; guards against lost updates.
    """

    kind: str
    scope: Scope
    name: str
    arn: str
    phase: str
    document: Document
    version: int = 1


@dataclass(frozen=True)
class Entry:
    """One line of a resource's history."""

    at: float
    event: str
    phase: str
    message: str


@dataclass(frozen=True)
class Measurement:
    """One value of a metric that a client put to a resource.

    Attributes:
        at: epoch seconds.
        step: the iteration; None if the client counts none.
    """

    name: str
    at: float
    step: int | None
    value: float


class Store(Protocol):
    """What handlers and the reconciler may do with documents; ``store.documents`` provides it."""

    def transaction(self) -> AbstractContextManager[object]:
        """Do what the block does as one change: no other writer comes between, and all or nothing.

        Only this thread may use the store within the block.
        """
        ...

    def create(
        self,
        kind: Kind,
        scope: Scope,
        name: str,
        phase: str,
        document: Document,
        tags: Mapping[str, str] | None = None,
        *,
        admit: Callable[[], None] = lambda: None,
    ) -> Record:
        """Keep a new document and its tags, in one transaction.

        Raises the kind's ``taken_error`` if the name is in use.

        Args:
            admit: called in the transaction, while nothing else is written; if it raises, nothing
                is kept.
        """
        ...

    def fetch(self, kind: Kind, scope: Scope, name: str) -> Record:
        """Return the record; raises the kind's ``absent_error``."""
        ...

    def find(self, kind: Kind, scope: Scope, name: str) -> Record | None: ...

    def find_arn(self, arn: str) -> Record | None:
        """Return the record that this ARN names, of any kind."""
        ...

    def select(
        self, kind: Kind, scope: Scope | None = None, *, phases: Iterable[str] | None = None
    ) -> Iterator[Record]:
        """Yield all records of a kind, of one scope or of all, oldest first.

        Args:
            phases: only records in one of these.
        """
        ...

    def change(
        self,
        kind: Kind,
        scope: Scope,
        name: str,
        change: Callable[[Record], tuple[str, Document]],
        *,
        event: str,
        message: str = "",
    ) -> Record:
        """Apply ``change(record) -> (phase, document)`` in one transaction and add to the history.

        Raises the kind's ``absent`` error if there is no such record; what ``change`` raises
        passes through and nothing is written.
        """
        ...

    def remove(self, kind: Kind, scope: Scope, name: str) -> None:
        """Forget the record and all that is its own; raises ``absent`` if there is none."""
        ...

    def history(self, kind: Kind, scope: Scope, name: str) -> list[Entry]: ...

    def tags(self, arn: str) -> dict[str, str]: ...

    def tag(self, arn: str, tags: Mapping[str, str]) -> dict[str, str]:
        """Add or replace tags; returns all of the resource's tags."""
        ...

    def untag(self, arn: str, keys: list[str]) -> None: ...

    def measure(self, arn: str, measurements: Iterable[Measurement]) -> None:
        """Add to a resource's measurements, in one transaction."""
        ...

    def measurements(self, arn: str) -> list[Measurement]:
        """Return all measurements of a resource in the order in which they came."""
        ...


class Objects(Protocol):
    """What synchronous checks may ask of S3 (contract A4, C1); ``storage.s3`` provides it."""

    def bucket_exists(self, bucket: str) -> bool: ...

    def object_exists(self, bucket: str, key: str) -> bool: ...

    def any_under(self, bucket: str, prefix: str) -> bool: ...

    def read_bytes(self, bucket: str, key: str, version: str | None = None) -> bytes:
        """Return a whole object; raises PermanentError if it, or that version, is missing."""
        ...


@dataclass(frozen=True)
class Quotas:
    """How many instances there may be; 0 for no limit.

    Attributes:
        each: of one endpoint or training job.
        together: of all endpoints, training jobs and notebook instances.
    """

    each: int = 0
    together: int = 0


@dataclass(frozen=True)
class Call:
    """One request on its way to its handler.

    Attributes:
        wake: tells the reconciler that the named resource has work to do.
        open_log_group: makes a group of CloudWatch Logs in the scope, unless it is there.
        shapes: the service model's shapes by name.
        quotas: what creating and updating must stay within.
    """

    operation: str
    scope: Scope
    store: Store
    objects: Objects
    wake: Callable[[Kind, Scope, str], None]
    open_log_group: Callable[[str], None]
    request_id: str = ""
    shapes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quotas: Quotas = Quotas()


Handler = Callable[[Call, Document], Document]
