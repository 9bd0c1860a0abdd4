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

    def memory(self, accelerator: int | None) -> int | None:
        """Return the bytes that a container may use; the lesser of its limits, None for neither.

        Args:
            accelerator: memory of the accelerator that it runs on, None without one.
        """
        given = [limit for limit in (self.memory_bytes, accelerator) if limit is not None]
        return min(given, default=None)
