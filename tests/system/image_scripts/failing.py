"""Ends as a script does that has found its input wanting."""

import sys

sys.exit(42)
