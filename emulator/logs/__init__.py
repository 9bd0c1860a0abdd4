"""What containers write: CloudWatch Logs streams, and metrics by regular expression.

Knows neither moto nor Docker; both sides come in as plain interfaces.
"""

from emulator.logs.capture import LogLine, capture
from emulator.logs.control import without_controls
from emulator.logs.metrics import MetricDefinition, extract, from_request
from emulator.logs.sink import LogSink

__all__ = [
    "LogLine",
    "LogSink",
    "MetricDefinition",
    "capture",
    "extract",
    "from_request",
    "without_controls",
]
