"""The process that loads a model and predicts."""

import signal

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):
    """gunicorn's threaded worker, but one that ends at once if it is told to before it is ready.

    gunicorn's own would first finish loading the model, however long that takes.
    """

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self.handle_exit)
        super().run()
