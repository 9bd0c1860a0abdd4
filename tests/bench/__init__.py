"""How much the emulator costs over what it stands on; run with `python -m tests.bench`."""
