"""A fleet: the serving containers of one generation of an endpoint.

The endpoint's reconciler decides which fleet serves; a fleet only brings its own instances up,
heals them, and lets them go.
"""

import logging
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from emulator.call import Document, Record, Store
from emulator.clock import monotonic, now
from emulator.errors import EmulatorError, PermanentError
from emulator.kinds import ENDPOINT
from emulator.launch.contract import serving as contract
from emulator.launch.driver import ContainerSpec, Observed
from emulator.names import instance_id
from emulator.reconcile import labels, reasons
from emulator.reconcile.acceleration import Acceleration, NoAccelerator
from emulator.reconcile.hardware import Hardware, NoCapacity, provide
from emulator.reconcile.hosting import (
    LAST_LINES,
    FleetFailed,
    Hosting,
    Instance,
)
from emulator.reconcile.instance_logs import InstanceLogs
from emulator.reconcile.ping import ping
from emulator.reconcile.ports import Resolved
from emulator.routing import Target, Variant

log = logging.getLogger(__name__)

SLOWEST_LOOK = 0.25
STRIKES = 5
"""Health checks in a row an idle instance may miss before it is replaced."""
RESTART_DELAYS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass
class Casualty:
    """An instance that died and is to be started again."""

    deaths: int
    not_before: float
    before: str = ""
    """What the next instance has to say of the one whose place it takes."""


Slot = tuple[str, int]


class Fleet:
    """The instances of one generation."""

    def __init__(
        self,
        hosting: Hosting,
        record: Record,
        *,
        generation: int,
        plan: Document,
        directory: Path,
        leaving: AbstractSet[str] = frozenset(),
    ) -> None:
        """Take over what an earlier run left of the generation, except what is `leaving`."""
        self.generation = generation
        self.mark = labels.fleet(record, generation)
        self._hosting = hosting
        self._record = record
        self._directory = directory
        self._variants = {
            variant["VariantName"]: variant for variant in plan["config"]["ProductionVariants"]
        }
        self._models: dict[str, Document] = plan["models"]
        self._images: dict[str, Resolved] = {}
        self._hardware: dict[str, Hardware] = {}
        self._acceleration = Acceleration(
            hosting.accelerators, hosting.launcher, record, generation, self._variants
        )
        self._logs = InstanceLogs(
            record, hosting.launcher, hosting.followers, hosting.logs, hosting.wake
        )
        self._instances: dict[Slot, Instance] = {}
        self._casualties: dict[Slot, Casualty] = {}
        self._ids: dict[Slot, str] = {}
        self._adopt(leaving)

    def advance(self, desired: list[Document]) -> float | None:
        """Start what is missing and look once at what is starting.

        Returns:
            Seconds until the next look, or None when every desired instance is ready.

        Raises:
            FleetFailed: an instance can't come up.
        """
        for entry in desired:
            self._provide(entry["variant"])
        for slot in _slots(desired):
            if slot not in self._instances:
                self._start(slot)
        for instance in self._instances.values():
            if not instance.ready:
                self._look(instance)
        waiting = [instance.look for instance in self._instances.values() if not instance.ready]
        return min(waiting, default=None)

    def heal(self, desired: list[Document]) -> float | None:
        """Replace what has died of the desired instances; returns as `advance` does.

        Raises:
            TemporaryError: the engine does not answer.
        """
        slots = _slots(desired)
        for slot in slots:
            instance = self._instances.get(slot)
            if instance and instance.ready:
                self._check(slot, instance)
        for slot in slots:
            if slot not in self._instances and self._casualty(slot).not_before <= monotonic():
                self._revive(slot)
        waits = []
        for slot in slots:
            instance = self._instances.get(slot)
            if instance and not instance.ready:
                self._look_again(slot, instance)
            if slot not in self._instances:
                waits.append(max(0.0, self._casualty(slot).not_before - monotonic()))
            elif not self._instances[slot].ready:
                waits.append(self._instances[slot].look)
        return min(waits, default=None)

    def variants(self, desired: list[Document]) -> tuple[Variant, ...]:
        """Return where invocations may go now."""
        return tuple(
            Variant(
                entry["variant"],
                entry["weight"],
                tuple(
                    self._instances[slot].target
                    for slot in _slots([entry])
                    if slot in self._instances and self._instances[slot].ready
                ),
            )
            for entry in desired
        )

    def handles(self) -> set[str]:
        """Return the handles of all instances."""
        return {each.handle for each in list(self._instances.values())}

    def starting(self) -> set[str]:
        """Return the handles of instances that have never been ready."""
        return {each.handle for each in list(self._instances.values()) if not each.ready}

    def describe(self, desired: list[Document]) -> list[Document]:
        """Return DescribeEndpoint's ProductionVariants (contract C4)."""
        return [
            {
                "VariantName": entry["variant"],
                "DeployedImages": [self._deployed(entry["variant"])],
                "CurrentWeight": entry["weight"],
                "DesiredWeight": entry["weight"],
                "CurrentInstanceCount": entry["instances"],
                "DesiredInstanceCount": entry["instances"],
            }
            for entry in desired
        ]

    def surplus(self, desired: list[Document]) -> list[Instance]:
        """Give up the instances beyond the desired counts; they take no new invocation."""
        wanted = set(_slots(desired))
        return self._give_up([slot for slot in self._instances if slot not in wanted])

    def tell(self, store: Store) -> None:
        """Say on the endpoint itself which accelerators its variants run on."""
        self._acceleration.publish(store, self._hosting.logs, self._record)

    def release(self) -> None:
        """Let go of the accelerators."""
        self._acceleration.release()

    def disband(self) -> list[Instance]:
        """Give up all instances; they take no new invocation."""
        self.release()
        return self._give_up(list(self._instances))

    # Bringing one instance up.

    def _start(self, slot: Slot) -> None:
        variant, number = slot
        # Kept until the container is known to run: a start that is tried again must look the same.
        spec_id = self._ids.setdefault(slot, instance_id())
        try:
            spec = self._spec(variant, number, spec_id)
            before = self._casualty(slot).before
            self._logs.announce(
                *(variant, spec_id, self._warnings(variant)),
                [*self._acceleration.facts(variant), *([before] if before else [])],
            )
            handle = self._hosting.launcher.start(spec)
        except PermanentError as error:
            raise FleetFailed(reasons.serving_start(variant, str(error))) from error
        observed = self._hosting.launcher.observe(handle)
        del self._ids[slot]
        if observed is None:
            raise FleetFailed(reasons.ping(variant, "The container was removed."))
        self._join(slot, observed, new=True)

    def _spec(self, variant: str, number: int, spec_id: str) -> ContainerSpec:
        record, hosting, config = self._record, self._hosting, self._variants[variant]
        model = self._models[config["ModelName"]]
        container = contract.container(model)
        image = self._image(variant, container)
        self._accelerate(variant, image)
        files = self._stage(model, container)
        return ContainerSpec(
            # The one it replaces may still be leaving, so the slot alone does not name it.
            name=labels.container_name(record, f"{self.generation}-{variant}-{number}-{spec_id}"),
            image=image.image,
            command=contract.COMMAND,
            environment=contract.environment(
                container,
                record.scope,
                hosting.launcher.endpoint_url(),
                hosting.limits,
                accelerator=self._acceleration.backing(variant),
            ),
            mounts=contract.mounts(files),
            labels=labels.of(
                ENDPOINT,
                record.scope,
                record.name,
                generation=self.mark,
                variant=variant,
                host=str(number),
                instance_id=spec_id,
            )
            | self._acceleration.marks(variant),
            hostname=contract.hostname(container),
            port=contract.PORT,
            isolated=model.get("EnableNetworkIsolation", False),
            memory_bytes=hosting.limits.memory(self._acceleration.memory(variant)),
            gpus=self._provide(variant).gpus
            or self._acceleration.backing(variant).startswith("gpu"),
        )

    def _accelerate(self, variant: str, image: Resolved) -> None:
        """Choose what stands behind the variant's accelerator; raises FleetFailed for nothing."""
        try:
            self._acceleration.choose(variant, image.image)
        except NoAccelerator as error:
            raise FleetFailed(reasons.serving_capacity(str(error))) from error

    def _provide(self, variant: str) -> Hardware:
        """Return what the variant's containers run on; raises FleetFailed without capacity."""
        if variant not in self._hardware:
            hosting, instance_type = self._hosting, self._variants[variant].get("InstanceType", "")
            try:
                found = provide(hosting.launcher, hosting.limits, instance_type)
            except NoCapacity as error:
                raise FleetFailed(reasons.serving_capacity(str(error))) from error
            self._hardware[variant] = found
        return self._hardware[variant]

    def _warnings(self, variant: str) -> list[str]:
        hardware = self._hardware[variant].warnings(self._images[variant])
        return hardware + self._acceleration.warnings(variant)

    def _image(self, variant: str, container: Document) -> Resolved:
        if variant not in self._images:
            try:
                self._images[variant] = self._hosting.resolve_image(container["Image"])
            except PermanentError as error:
                raise FleetFailed(reasons.serving_image(variant, str(error))) from error
        return self._images[variant]

    def _stage(self, model: Document, container: Document) -> Path:
        try:
            return self._hosting.models.stage(
                self._record.scope, container, self._directory / model["ModelName"]
            )
        except PermanentError as error:
            raise FleetFailed(str(error)) from error

    def _join(self, slot: Slot, observed: Observed, *, new: bool) -> None:
        """Count a container among the instances and follow its output."""
        timeout = self._variants[slot[0]].get(
            "ContainerStartupHealthCheckTimeoutInSeconds", self._hosting.ping_timeout
        )
        # One that has exited may have lost its address; nothing listens there anyway.
        host, port = observed.address or ("127.0.0.1", 0)
        self._instances[slot] = Instance(
            *slot,
            handle=observed.handle,
            target=Target(host, port, instance_id=observed.labels[labels.INSTANCE_ID]),
            image_id=observed.image_id,
            deadline=monotonic() + timeout,
        )
        self._logs.follow(observed, new=new)
        if not new:
            self._acceleration.readopt(observed)

    def _look(self, instance: Instance) -> None:
        """Ping a starting instance once; raises FleetFailed when it can't become ready."""
        if ping(instance.target.host, instance.target.port):
            instance.ready = True
            return
        observed = self._hosting.launcher.observe(instance.handle)
        if observed and (why := self._acceleration.outgrown(observed)):
            raise FleetFailed(reasons.ping(instance.variant, why))
        if observed is None or not observed.running:
            raise FleetFailed(reasons.ping(instance.variant, self._logs.obituary(observed)))
        if monotonic() > instance.deadline:
            raise FleetFailed(reasons.ping(instance.variant))
        instance.look = min(SLOWEST_LOOK, instance.look * 1.5)

    # Healing.

    def _check(self, slot: Slot, instance: Instance) -> None:
        """Note the death of an instance in service, or that it no longer answers."""
        observed = self._hosting.launcher.observe(instance.handle)
        if observed is not None:
            self._warn_of_memory(instance, observed)
        if observed is None or not observed.running:
            self._bury(slot, instance, self._logs.obituary(observed))
        elif ping(instance.target.host, instance.target.port):
            instance.strikes = 0
            self._casualties.pop(slot, None)
        elif not instance.target.inflight:
            instance.strikes += 1
            if instance.strikes >= STRIKES:
                self._bury(slot, instance, "The container no longer answered /ping.")

    def _warn_of_memory(self, instance: Instance, observed: Observed) -> None:
        """Tell once that a process of an instance was killed, which the instance survived."""
        if not instance.warned and (why := self._acceleration.outgrown(observed)):
            instance.warned = True
            self._logs.warn(observed, why)

    def _look_again(self, slot: Slot, instance: Instance) -> None:
        try:
            self._look(instance)
        except FleetFailed as error:
            self._bury(slot, instance, str(error))

    def _revive(self, slot: Slot) -> None:
        try:
            self._start(slot)
        except (FleetFailed, EmulatorError) as error:
            self._mourn(slot, str(error))

    def _bury(self, slot: Slot, instance: Instance, why: str) -> None:
        instance.target.close()
        del self._instances[slot]
        self._hosting.end(instance.handle, 0.0)
        self._replace(slot, instance.target.instance_id, why)
        self._mourn(slot, why)

    def _replace(self, slot: Slot, instance_id: str, why: str) -> None:
        """Have the endpoint's log say of a dead instance that another takes its place."""
        self._logs.replaced(slot[0], instance_id, why)
        before = f"this instance takes the place of {instance_id}. {why}"
        self._casualties[slot] = replace(self._casualty(slot), before=before)

    def _mourn(self, slot: Slot, why: str) -> None:
        casualty = self._casualty(slot)
        delay = RESTART_DELAYS[min(casualty.deaths, len(RESTART_DELAYS) - 1)]
        self._casualties[slot] = replace(
            casualty, deaths=casualty.deaths + 1, not_before=monotonic() + delay
        )
        log.warning(
            "Endpoint/%s: an instance of variant %s is started again%s: %s",
            *(self._record.name, slot[0], f" in {delay:g} s" if delay else "", why),
        )

    def _casualty(self, slot: Slot) -> Casualty:
        return self._casualties.get(slot, Casualty(0, 0.0))

    # Letting go and taking over.

    def _give_up(self, slots: list[Slot]) -> list[Instance]:
        gone = [self._instances.pop(slot) for slot in slots]
        for instance in gone:
            instance.target.close()
        return gone

    def _adopt(self, leaving: AbstractSet[str]) -> None:
        """Take over the containers of this generation that an earlier run left."""
        wanted = labels.of(ENDPOINT, self._record.scope, self._record.name, generation=self.mark)
        found = [each for each in self._hosting.launcher.find(wanted) if each.handle not in leaving]
        for observed in sorted(found, key=lambda each: each.started_at, reverse=True):
            slot = (observed.labels[labels.VARIANT], int(observed.labels[labels.HOST]))
            if observed.running and slot not in self._instances:
                self._join(slot, observed, new=False)
                continue
            self._logs.follow(observed, new=False)
            if not observed.running:
                self._hosting.followers.finish(observed.handle, LAST_LINES)
                if slot not in self._instances:
                    died = observed.labels[labels.INSTANCE_ID]
                    self._replace(slot, died, self._logs.obituary(observed))
            self._hosting.end(observed.handle, 0.0)

    def _deployed(self, variant: str) -> Document:
        container = contract.container(self._models[self._variants[variant]["ModelName"]])
        image_id = self._instances[variant, 0].image_id
        repository = container["Image"].split("@")[0].rsplit(":", 1)[0]
        return {
            "SpecifiedImage": container["Image"],
            "ResolvedImage": f"{repository}@{image_id}",
            "ResolutionTime": now(),
        }


def _slots(desired: list[Document]) -> list[Slot]:
    return [(entry["variant"], number) for entry in desired for number in range(entry["instances"])]
