"""The one rule by which an `AcceleratorType` is resolved; pure (contract D).

1. An image that can't use an accelerator gets the CPU.
2. Of the attached accelerators that fit, the smallest that nobody has claimed, or that the same
   framework has, serves. ``local_sagemaker_notebook`` fits all, a notebook instance's first.
3. Where those that fit are all claimed by another framework, the request is refused, as AWS did:
   an accelerator belongs to the first framework until its host starts again.
4. Where none fits yet, but one that a notebook instance brings back does, the request waits.
5. Where none fits, the CPU serves, or nothing if the settings say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emulator.accelerators.types import CPU, EMULATOR, LOCAL, SIZES, Device, readable
from emulator.errors import PermanentError, TemporaryError

NEVER = "EMULATOR_ACCELERATOR_FALLBACK=cpu lets the CPU serve."


class NoAccelerator(PermanentError):
    """No attached accelerator may serve, and the CPU must not; the message says why."""


class NotYetAttached(TemporaryError):
    """An accelerator that may serve is about to be attached again."""


@dataclass(frozen=True)
class Choice:
    """What serves.

    Attributes:
        asked: the `AcceleratorType`.
        device: the accelerator, or None for the CPU in its place.
        reason: one sentence for logs and people.
    """

    asked: str
    device: Device | None
    reason: str

    @property
    def backing(self) -> str:
        """What computes: ``cpu`` or ``gpu:N``."""
        return self.device.backing if self.device else CPU

    @property
    def memory_bytes(self) -> int | None:
        """The accelerator's memory that one container may use; None without an accelerator."""
        if self.device is None:
            return None
        return SIZES.get(self.asked, self.device.size).memory_bytes


def choose(
    asked: str,
    framework: str,
    devices: Sequence[Device],
    claims: Mapping[str, str],
    *,
    cpu_allowed: bool,
    expected: Sequence[Device] = (),
) -> Choice:
    """Return what serves a container that asks for an accelerator.

    Args:
        asked: one of the six types, or ``local_sagemaker_notebook``.
        framework: the one that the image's accelerator library is for; empty if it has none.
        devices: what is attached.
        claims: framework by id of the devices that one has claimed.
        cpu_allowed: the CPU may stand in.
        expected: what is about to be attached again.

    Raises:
        NoAccelerator: nothing may serve.
        NotYetAttached: an expected device may serve.
    """
    if asked != LOCAL and asked not in SIZES:
        return _without(asked, f"{asked} is no type of accelerator", cpu_allowed)
    if not framework:
        why = "the image declares no framework that can use an accelerator"
        return _without(asked, why, cpu_allowed)
    fitting = [device for device in devices if _fits(device, asked)]
    free = [device for device in fitting if claims.get(device.id, framework) == framework]
    if free:
        device = min(free, key=lambda each: _preference(each, asked))
        return served_by(asked, device)
    if fitting:
        raise NoAccelerator(_claimed(asked, framework, fitting[0], claims[fitting[0].id]))
    awaited = next((device for device in expected if _fits(device, asked)), None)
    if awaited:
        raise NotYetAttached(
            f"AcceleratorType {asked}: {awaited.host} starts again and brings {awaited.type}."
        )
    return _without(asked, _nothing(asked, devices), cpu_allowed)


def served_by(asked: str, device: Device) -> Choice:
    """Return the choice of an attached accelerator."""
    return Choice(asked, device, _used(asked, device))


def _fits(device: Device, asked: str) -> bool:
    return asked == LOCAL or device.size.holds(SIZES[asked])


def _preference(device: Device, asked: str) -> tuple[bool, int, int, str]:
    """Return a key that the best device has the least of."""
    elsewhere = asked == LOCAL and device.host == EMULATOR
    return elsewhere, device.size.memory_bytes, device.size.f32_tflops, device.id


def _used(asked: str, device: Device) -> str:
    what = device.type if asked in (LOCAL, device.type) else f"{device.type}, which holds {asked},"
    computes = "the CPU" if device.backing == CPU else f"GPU {device.backing.partition(':')[2]}"
    limit = readable(SIZES.get(asked, device.size).memory_bytes)
    return (
        f"AcceleratorType {asked} is {what} attached to {device.host}: {computes} computes,"
        f" with {limit} of memory for each container."
    )


def _claimed(asked: str, framework: str, device: Device, holder: str) -> str:
    again = (
        "Restart the emulator"
        if device.host == EMULATOR
        else "Stop and start the notebook instance, or create a new one,"
    )
    return (
        f"AcceleratorType {asked}: {device.type} of {device.host} was first used by {holder} and"
        f" can't be used by {framework}. {again} to use it with another framework."
    )


def _nothing(asked: str, devices: Sequence[Device]) -> str:
    if not devices:
        return "no accelerator is attached"
    attached = ", ".join(sorted(device.type for device in devices))
    return f"no attached accelerator holds it (attached: {attached})"


def _without(asked: str, why: str, cpu_allowed: bool) -> Choice:
    if not cpu_allowed:
        raise NoAccelerator(f"AcceleratorType {asked}: {why}. {NEVER}")
    return Choice(asked, None, f"AcceleratorType {asked} runs on the CPU: {why}.")
