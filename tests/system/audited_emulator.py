"""`sagemaker-emulator`, but every first import of a module is written down with its thread.

    python audited_emulator.py REPORT up --port 0 ...

A line of the report is `THREAD MODULE`. Whether a module was really loaded is only known later, so
what was asked for in vain, as optional packages are, is left out at the end.
"""

import sys
import threading

_asked: list[tuple[str, str]] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    # Raised for what is not in sys.modules alone.
    if event == "import":
        _asked.append((threading.current_thread().name, str(arguments[0])))


def _report(path: str) -> None:
    with open(path, "w") as report:
        for thread, module in _asked:
            if module in sys.modules:
                report.write(f"{thread.replace(' ', '_')} {module}\n")


if __name__ == "__main__":
    path = sys.argv.pop(1)
    sys.addaudithook(_note)
    from emulator.cli.main import main

    try:
        main()
    finally:
        _report(path)
