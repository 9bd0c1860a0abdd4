"""The emulator's own pages below ``/_emulator``: health and reset; no call of AWS comes here."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from emulator.call import Document

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask import Flask, Response
    from werkzeug.exceptions import HTTPException


def create_pages(*, health: Callable[[], Document], reset: Callable[[], None]) -> "WSGIApplication":
    """Return the WSGI application of the pages.

    Args:
        health: what ``GET /_emulator/health`` answers.
        reset: forgets every resource and object; called by ``POST /_emulator/reset``.
    """

    @cache
    def pages() -> "Flask":
        return _flask(health, reset)

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return pages()(environ, start_response)

    return app


def _flask(health: Callable[[], Document], reset: Callable[[], None]) -> "Flask":
    # Imported by the first request for a page: it takes longer than the rest of the front together.
    from flask import Flask, jsonify
    from werkzeug.exceptions import HTTPException

    flask = Flask("emulator", static_folder=None)

    @flask.get("/_emulator/health")
    def show_health() -> "Response":
        return jsonify(health())

    @flask.post("/_emulator/reset")
    def forget_everything() -> "Response":
        reset()
        return jsonify({"reset": True})

    @flask.errorhandler(HTTPException)
    def refuse(error: "HTTPException") -> "tuple[Response, int]":
        return jsonify({"message": error.description}), error.code or 500

    return flask
