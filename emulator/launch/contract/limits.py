"""What of this machine a container may use; pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits for each container.

    Attributes:
        memory_bytes: None for no limit.
        threads: OMP_NUM_THREADS for containers that set none; None leaves it to the image.
        cpu_stand_ins: the CPU may stand in for GPUs that this machine does not have.
    """

    memory_bytes: int | None = None
    threads: int | None = None
    cpu_stand_ins: bool = True

    def environment(self) -> dict[str, str]:
        """Return the variables that make numerical libraries keep the limits."""
        return {"OMP_NUM_THREADS": str(self.threads)} if self.threads else {}
