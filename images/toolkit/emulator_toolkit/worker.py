"""The process that loads a model and predicts."""

import signal
import sys

from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):
    """gunicorn's threaded worker, but one that ends at once if it is told to before it is ready.

    gunicorn's own would first finish loading the model, however long that takes.
    """

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Until now the handlers were those of the process that this one was forked from.
        if signal.SIGTERM in Arbiter.SIG_QUEUE or not self.alive:
            sys.exit(0)

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self.handle_exit)
        super().run()
