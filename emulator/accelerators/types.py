"""The types of Amazon Elastic Inference accelerators and their sizes (contract D); pure."""

from dataclasses import dataclass

GIB = 2**30
LOCAL = "local_sagemaker_notebook"
"""The accelerator of the notebook instance, in the words of the SageMaker Python SDK."""
EMULATOR = "emulator"
"""The host of accelerators that the settings attach."""
CPU = "cpu"


@dataclass(frozen=True)
class Size:
    """How large an accelerator is.

    Attributes:
        memory_bytes: what one serving container may use.
        f32_tflops: single-precision throughput of AWS's, in 10^12 operations a second; here it
            only orders the types.
    """

    memory_bytes: int
    f32_tflops: int

    def holds(self, other: "Size") -> bool:
        """Say whether an accelerator of this size does what one of the other size would."""
        return self.memory_bytes >= other.memory_bytes and self.f32_tflops >= other.f32_tflops


SIZES = {
    "ml.eia1.medium": Size(1 * GIB, 1),
    "ml.eia1.large": Size(2 * GIB, 2),
    "ml.eia1.xlarge": Size(4 * GIB, 4),
    "ml.eia2.medium": Size(2 * GIB, 1),
    "ml.eia2.large": Size(4 * GIB, 2),
    "ml.eia2.xlarge": Size(8 * GIB, 4),
}


@dataclass(frozen=True)
class Device:
    """One attached accelerator.

    Attributes:
        id: unique among all that were ever attached: a host that starts again brings a new one.
        type: a key of `SIZES`.
        backing: what computes: ``cpu``, or ``gpu:N`` for this machine's GPU number N.
        host: what it is attached to: ``emulator``, or ``notebook-instance/NAME``.
        since: when it was attached, epoch seconds.
    """

    id: str
    type: str
    backing: str = CPU
    host: str = EMULATOR
    since: float = 0.0

    @property
    def size(self) -> Size:
        return SIZES[self.type]


def declared(setting: str, at: float) -> list[Device]:
    """Return the accelerators that the setting attaches to the emulator: ``TYPE[=BACKING],…``."""
    entries = [entry.partition("=") for entry in setting.split(",") if entry]
    return [
        Device(f"{EMULATOR}/{number}", kind, backing or CPU, EMULATOR, at)
        for number, (kind, _, backing) in enumerate(entries)
    ]


def readable(memory_bytes: int) -> str:
    """Return an accelerator's memory as AWS's tables have it: ``1 GB``."""
    return f"{memory_bytes // GIB} GB"
