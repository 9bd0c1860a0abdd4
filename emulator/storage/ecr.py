"""ECR as clients see it: the repositories that they made, and the images that the engine has.

Nothing is pushed here: an image that has a name on ECR is on the engine, where jobs find it, and
that is what ECR shows. The engine's images are never changed from here.
"""

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from moto.core.responses import ActionResult
from moto.ecr.models import ECRBackend, Image, Repository
from moto.ecr.responses import ECRResponse

READS = frozenset({"DescribeImages", "DescribeRepositories", "ListImages"})
"""The operations that show the engine's images."""
_TOKEN_LIFE = timedelta(hours=12)
_Repository: Any = Repository  # which its annotations make abstract


class Name(Protocol):
    """A name on ECR, taken apart."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def repository(self) -> str: ...

    @property
    def tag(self) -> str: ...


class LocalImage(Protocol):
    """An image of the engine under one of its names: content id, bytes, epoch seconds."""

    @property
    def uri(self) -> Name: ...

    @property
    def digest(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def created(self) -> float: ...


class Ecr(ECRResponse):
    """moto's ECR, whose repositories hold what the engine has, too."""

    @property
    def ecr_backend(self) -> ECRBackend:
        backend = super().ecr_backend
        if self._get_action() not in READS:
            return backend
        registry = self._get_param("registryId") or self.current_account
        request: Any = self.normalized_request
        view = _with_images(backend, registry, request.local_images)
        status = (self._get_param("filter") or {}).get("tagStatus", "ANY")
        for repository in view.repositories.values():
            repository.images = [
                image
                for image in repository.images
                if status == "ANY" or bool(image.image_tags) is (status == "TAGGED")
            ]
        return view

    def get_authorization_token(self) -> ActionResult:
        """Give moto's token with the twelve hours that AWS's is good for."""
        result = super().get_authorization_token()
        domain = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        given: Any = result.result
        for each in given["authorizationData"]:
            registry = each["proxyEndpoint"].partition("://")[2].partition(".")[0]
            each["expiresAt"] = datetime.now(UTC) + _TOKEN_LIFE
            each["proxyEndpoint"] = f"https://{registry}.dkr.ecr.{self.region}.{domain}"
        return result


def _with_images(backend: ECRBackend, registry: str, images: Sequence[LocalImage]) -> ECRBackend:
    """Return a view of one registry: moto's repositories and what the engine has under its names.

    A view, because a repository that nobody made must not be in the way of who makes it.
    """
    view = copy.copy(backend)
    view.repositories = {
        name: copy.copy(repository)
        for name, repository in backend.repositories.items()
        if repository.registry_id == registry
    }
    for repository in view.repositories.values():
        repository.images = list(repository.images)
    for image in sorted(images, key=lambda image: (image.uri.repository, image.created)):
        if (image.uri.account, image.uri.region) == (registry, backend.region_name):
            _show(view, registry, image)
    return view


def _show(view: ECRBackend, registry: str, image: LocalImage) -> None:
    name, tag = image.uri.repository, image.uri.tag
    repository = view.repositories.get(name)
    if repository is None:
        repository = _Repository(view.account_id, view.region_name, name, registry, None, "", "")
        repository.created_at = datetime.fromtimestamp(image.created, UTC).replace(tzinfo=None)
        view.repositories[name] = repository
    found = [each for each in repository.images if each.get_image_digest() == image.digest]
    if found:
        found[0].update_tag(tag)
        return
    shown = Image(
        view.account_id,
        tag,
        json.dumps({"layers": [], "config": {"size": image.size}}),
        name,
        "application/vnd.docker.distribution.manifest.v2+json",
        digest=image.digest,
        registry_id=registry,
    )
    shown.image_pushed_at = int(image.created)
    repository.images.append(shown)


HANDLERS: Mapping[str, Callable[..., Any]] = {"ecr": Ecr.dispatch}
"""What answers in place of moto's own handler, by moto's package."""

Images = Callable[[], Iterable[LocalImage]]
"""Asks the engine; raises TemporaryError if it does not answer."""
