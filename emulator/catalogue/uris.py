"""ECR image URIs, taken apart; pure. Knows the form, not which images exist."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# The form by which the SageMaker SDKs recognise ECR (`utils.py`, `local/image.py`).
_ECR = re.compile(
    r"(?P<account>\d+)\.dkr\.ecr\.(?P<region>[^./]+)\.(?P<suffix>[^/]+)"
    r"/(?P<repository>[^:@]+):(?P<tag>[^:@/]+)"
)
_FRAMEWORK_TAG = re.compile(
    r"(?P<version>\d+(?:\.\d+)*(?:-\d+)?)-(?P<processor>cpu|gpu)(?:-(?P<python>py\d+))?(?:-.*)?"
)


@dataclass(frozen=True)
class ImageUri:
    """`<account>.dkr.ecr.<region>.<suffix>/<repository>:<tag>`."""

    account: str
    region: str
    suffix: str
    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.account}.dkr.ecr.{self.region}.{self.suffix}/{self.repository}:{self.tag}"


@dataclass(frozen=True)
class FrameworkTag:
    """What the tag of a framework image says: `1.4.1-gpu-py3`.

    Attributes:
        processor: ``cpu`` or ``gpu``.
        python: ``py2``, ``py3``, ``py38``…, or empty when the tag does not say.
    """

    version: str
    processor: str
    python: str


def parse_image_uri(reference: str) -> ImageUri | None:
    """Return the parts of an ECR URI with a tag, or None if this is not one."""
    match = _ECR.fullmatch(reference)
    return ImageUri(**match.groupdict()) if match else None


def parse_framework_tag(tag: str) -> FrameworkTag | None:
    """Return what a framework image's tag says, or None if it is no such tag."""
    match = _FRAMEWORK_TAG.fullmatch(tag)
    if match is None:
        return None
    return FrameworkTag(match["version"], match["processor"], match["python"] or "")


def by_preference(versions: Sequence[str], asked: str) -> list[str]:
    """Order versions by how well each stands in for the one that is asked for.

    The lowest that is not older comes first, since a framework reads what older versions wrote and
    seldom the other way round; older ones come last, the newest of them first. ``1.4`` asks for
    the lowest version that is at least 1.4.
    """
    numbers = {version: _numbers(version) for version in versions}
    ascending = sorted(versions, key=numbers.__getitem__)
    newer = [version for version in ascending if numbers[version] >= _numbers(asked)]
    return newer + [version for version in reversed(ascending) if version not in newer]


def is_same(version: str, asked: str) -> bool:
    """Tell whether a version is the one asked for: ``1.4`` asks for any 1.4.x."""
    wanted = _numbers(asked)
    return _numbers(version)[: len(wanted)] == wanted


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def suffix_of(region: str) -> str:
    """Return the domain under which a region's registries live."""
    if region.startswith("cn-"):
        return "amazonaws.com.cn"
    if region.startswith("us-iso"):
        return "c2s.ic.gov"
    return "amazonaws.com"
