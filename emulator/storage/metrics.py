"""CloudWatch metrics in this process: what the emulator itself publishes, kept over restarts."""

import json
import logging
import math
import sqlite3
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from emulator.call import Area, Scope
from emulator.state_files import told
from emulator.storage.database import connect

logger = logging.getLogger(__name__)

# What a restart brings back; moto keeps every value in memory.
RELOADED_VALUES = 100_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS metric_values (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, value REAL NOT NULL, at REAL NOT NULL, dimensions TEXT NOT NULL
);
"""


class Metrics:
    """Values of metrics that survive a restart.

    Args:
        path: the SQLite file; created if absent.
        lock: held while moto's backends are touched.
    """

    def __init__(self, path: Path, lock: threading.RLock) -> None:
        self._lock = lock
        self._connection = connect(path, _SCHEMA)
        self._lost = False
        """Whether the last value could not be kept, so that it is said once."""
        with told(path):
            self._load()

    def put(
        self,
        scope: Scope,
        namespace: str,
        name: str,
        value: float,
        at: float,
        dimensions: Mapping[str, str],
    ) -> None:
        """Add one value; `at` is epoch seconds.

        CloudWatch takes no NaN and no infinity, so these are dropped. A value that can't be kept
        on disk is shown all the same, and gone at the next start.
        """
        if not math.isfinite(value):
            logger.debug("metric %s: %s is no value", name, value)
            return
        row = (scope.account, scope.region, namespace, name, value, at, json.dumps({**dimensions}))
        with self._lock:
            try:
                self._connection.execute(
                    "INSERT INTO metric_values "
                    "(account, region, namespace, name, value, at, dimensions) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
                self._lost = False
            except sqlite3.Error as error:
                if not self._lost:
                    logger.warning("metrics can't be kept for the next start: %s", error)
                self._lost = True
            self._show(scope, namespace, name, value, at, dimensions)

    def _show(
        self,
        scope: Scope,
        namespace: str,
        name: str,
        value: float,
        at: float,
        dimensions: Mapping[str, str],
    ) -> None:
        datum: dict[str, Any] = {
            "MetricName": name,
            "Value": value,
            # moto compares it with naive times.
            "Timestamp": datetime.fromtimestamp(at, UTC).replace(tzinfo=None),
            "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
        }
        cloudwatch_backends[scope.account][scope.region].put_metric_data(namespace, [datum])

    def _load(self) -> None:
        rows = self._connection.execute(
            "SELECT account, region, namespace, name, value, at, dimensions FROM "
            "(SELECT * FROM metric_values ORDER BY id DESC LIMIT ?) ORDER BY id",
            (RELOADED_VALUES,),
        )
        for account, region, namespace, name, value, at, dimensions in rows:
            scope = Scope(account, region)
            self._show(scope, namespace, name, value, at, json.loads(dimensions))

    def reset(self, area: Area) -> None:
        """Forget an area's values."""
        with self._lock:
            self._connection.execute(
                "DELETE FROM metric_values WHERE (:account IS NULL OR account = :account)"
                " AND (:region IS NULL OR region = :region)",
                {"account": area.account, "region": area.region},
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()
