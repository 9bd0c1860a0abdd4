"""Which instance types have GPUs; pure. `FAMILIES` is the one table of them.

A letter is no rule to go by: the `g` in ``c6g`` or ``r7gd`` means Graviton, which is a CPU.
"""

FAMILIES = frozenset(
    {
        *("p2", "p3", "p3dn", "p4d", "p4de", "p5", "p5e", "p5en"),
        *("p6-b200", "p6-b300", "p6e-gb200"),
        *("g4dn", "g5", "g6", "g6e", "g7", "g7e"),
    }
)
"""The middle part of the names: ``ml.p3.2xlarge`` is of the family ``p3``."""
LOCAL = "local_gpu"
"""This machine and its GPUs, in the words of the SageMaker Python SDK's local mode."""


def has_gpus(instance_type: str) -> bool:
    """Say whether an instance of this type has GPUs."""
    _, _, kind = instance_type.partition("ml.")
    return instance_type == LOCAL or kind.partition(".")[0] in FAMILIES
