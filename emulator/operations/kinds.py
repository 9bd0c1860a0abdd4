"""Moved: the kinds are in emulator/kinds.py, since the reconciler needs them too; import them there."""
