"""The accelerators of one fleet's variants: chosen before the first container, told everywhere.

Who asks where a variant runs finds it in the endpoint's log, the emulator's log, a tag of the
endpoint and a metric; all of them say what the one choice says.
"""

from collections.abc import Iterable, Mapping

from emulator.accelerators import Accelerators, Choice, NoAccelerator
from emulator.accelerators.types import CPU, readable
from emulator.call import Document, Record, Store
from emulator.launch.driver import ImageMissing, Launcher, Observed
from emulator.logs import LogSink
from emulator.reconcile import labels

NAMESPACE = "SageMakerEmulator/Accelerators"
ATTACHED = "Attached"
"""The metric: 1 for a variant that runs on an attached accelerator, 0 for one on the CPU."""
TAG = "sagemaker-emulator:accelerator/"
"""How the key of an endpoint's tag begins; the variant's name follows."""


class Acceleration:
    """What stands behind the `AcceleratorType` of each variant.

    Args:
        variants: production variants by name.
    """

    def __init__(
        self,
        accelerators: Accelerators,
        launcher: Launcher,
        record: Record,
        generation: int,
        variants: Mapping[str, Document],
    ) -> None:
        self._accelerators = accelerators
        self._launcher = launcher
        self._owner = f"{record.arn}, generation {generation}"
        self._asked = {
            name: variant["AcceleratorType"]
            for name, variant in variants.items()
            if variant.get("AcceleratorType")
        }
        self._choices: dict[str, Choice] = {}
        self._frameworks: dict[str, str] = {}
        self._told: dict[str, Choice] | None = None

    def choose(self, variant: str, image: str) -> Choice | None:
        """Return what serves a variant's next container; None if it asks for nothing.

        It stays the same for as long as it is attached.

        Raises:
            NoAccelerator: nothing may serve.
            TemporaryError: the engine does not answer, or what may serve is not attached yet.
        """
        asked = self._asked.get(variant)
        if asked is None:
            return None
        known = self._choices.get(variant)
        if known is None or not self._accelerators.still_serves(known):
            framework = self._framework(image)
            self._choices[variant] = self._accelerators.acquire(
                asked, framework, self._user(variant)
            )
            self._frameworks[variant] = framework
        return self._choices[variant]

    def readopt(self, observed: Observed) -> None:
        """Know again what a container of an earlier run uses: an accelerator, or the CPU."""
        marks, variant = observed.labels, observed.labels[labels.VARIANT]
        asked, user = self._asked.get(variant), self._user(variant)
        if asked is None:
            return
        device, framework = marks.get(labels.ACCELERATOR), marks.get(labels.ACCELERATOR_FRAMEWORK)
        if not device or not framework:
            self._accelerators.readopt_stand_in(asked, user)
            return
        choice = self._accelerators.readopt(asked, device, framework, user)
        if choice is not None:
            self._choices[variant], self._frameworks[variant] = choice, framework

    def release(self) -> None:
        """Let go of everything; what a framework has claimed stays its own."""
        for variant in self._asked:
            self._accelerators.release(self._user(variant))

    def marks(self, variant: str) -> dict[str, str]:
        """Return the labels by which `readopt` knows a container again."""
        choice = self._choices.get(variant)
        if choice is None or choice.device is None:
            return {}
        return {
            labels.ACCELERATOR: choice.device.id,
            labels.ACCELERATOR_FRAMEWORK: self._frameworks[variant],
        }

    def backing(self, variant: str) -> str:
        """Return what computes for a variant's accelerator: empty for none, ``cpu``, ``gpu:N``."""
        choice = self._choices.get(variant)
        if choice is None:
            return ""
        return choice.backing if self._launcher.has_gpus() else CPU

    def memory(self, variant: str) -> int | None:
        """Return the bytes that one container of a variant may use, None for no limit."""
        choice = self._choices.get(variant)
        return choice.memory_bytes if choice else None

    def warnings(self, variant: str) -> list[str]:
        """Return how a variant's accelerator differs from what was asked for."""
        choice = self._choices.get(variant)
        if choice is None:
            return []
        if choice.device is None:
            return [choice.reason]
        if choice.backing != self.backing(variant):
            return [f"{choice.reason} Containers on this machine have no GPU: the CPU computes."]
        return []

    def facts(self, variant: str) -> list[str]:
        """Return what to say of a variant's accelerator that is as it was asked for."""
        choice = self._choices.get(variant)
        return [choice.reason] if choice and not self.warnings(variant) else []

    def outgrown(self, observed: Observed) -> str:
        """Return what to say of a container that lost a process for memory; empty otherwise."""
        choice = self._choices.get(observed.labels[labels.VARIANT])
        if choice is None or choice.memory_bytes is None:
            return ""
        if not (observed.out_of_memory or self._launcher.lost_process(observed.handle)):
            return ""
        return (
            f"A process was killed because it used more than the {readable(choice.memory_bytes)}"
            f" of memory that {choice.asked} has. Use a larger accelerator or a smaller model."
        )

    def publish(self, store: Store, logs: LogSink, record: Record) -> None:
        """Tag the endpoint with what serves it, and publish the metric; only what is new."""
        if self._told is None:
            self._told = {}
            # The tag of a variant whose choice an earlier run has made stays.
            kept = {TAG + variant for variant in self._asked}
            store.untag(record.arn, sorted(_ours(store.tags(record.arn)) - kept))
        for variant, choice in self._choices.items():
            if self._told.get(variant) == choice:
                continue
            self._told[variant] = choice
            store.tag(record.arn, {TAG + variant: _tag(choice)})
            dimensions = {
                "EndpointName": record.name,
                "VariantName": variant,
                "AcceleratorType": choice.asked,
            }
            value = 0.0 if choice.device is None else 1.0
            logs.measure(record.scope, NAMESPACE, ATTACHED, value, dimensions)

    def _user(self, variant: str) -> str:
        return f"{self._owner}, variant {variant}"

    def _framework(self, image: str) -> str:
        try:
            return self._launcher.image_labels(image).get(labels.ACCELERATOR_FRAMEWORK, "")
        except ImageMissing:  # the start of the container will say so
            return ""


def _tag(choice: Choice) -> str:
    """Return a tag's value, in the characters that tags may have (contract A6)."""
    if choice.device is None:
        return f"{choice.asked} = cpu"
    return f"{choice.asked} = {choice.device.type} at {choice.device.host}"


def _ours(keys: Iterable[str]) -> set[str]:
    return {key for key in keys if key.startswith(TAG)}


__all__ = ["ATTACHED", "NAMESPACE", "TAG", "Acceleration", "NoAccelerator"]
