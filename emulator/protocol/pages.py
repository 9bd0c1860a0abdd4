"""The emulator's own pages below ``/_emulator``: health and reset; no call of AWS comes here."""

from collections.abc import Callable

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from emulator.call import Document


def create_pages(*, health: Callable[[], Document], reset: Callable[[], None]) -> Flask:
    """Return the Flask application; further pages may be added to it as blueprints.

    Args:
        health: what ``GET /_emulator/health`` answers.
        reset: forgets every resource and object; called by ``POST /_emulator/reset``.
    """
    pages = Flask("emulator", static_folder=None)

    @pages.get("/_emulator/health")
    def show_health() -> Response:
        return jsonify(health())

    @pages.post("/_emulator/reset")
    def forget_everything() -> Response:
        reset()
        return jsonify({"reset": True})

    @pages.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> tuple[Response, int]:
        return jsonify({"message": error.description}), error.code or 500

    return pages
