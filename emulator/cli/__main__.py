"""`python -m emulator.cli` is `sagemaker-emulator`."""

from emulator.cli.main import main

main()
