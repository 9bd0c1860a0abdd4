"""The emulator's own pages below ``/_emulator``; no call of AWS comes here.

    GET  /_emulator/health               what runs here
    POST /_emulator/reset                forget every resource and object, or those of
                                         ?account=ID, of ?region=NAME or of both
    GET  /_emulator/accelerators         what is attached, and who uses it
    POST /_emulator/accelerators/claims  ask for an accelerator, from a container of local mode

``POST /moto-api/reset``, by which moto's clients tidy up, is the same as the emulator's own.

A browser that shows somebody else's page may not change anything here.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from emulator.call import EVERYTHING, Area, Document
from emulator.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from flask import Flask, Response
    from werkzeug.exceptions import HTTPException

log = logging.getLogger(__name__)

WELL = "ok"
"""The status in health of an emulator that works."""
_HEALTH = "/_emulator/health"
_CLAIM = ("accelerator_type", "framework", "user")
_AREA = {"account": re.compile(r"[0-9]{12}"), "region": re.compile(r"[a-z]+(-[a-z0-9]+)+")}
_EXAMPLES = {"account": "123456789012", "region": "us-east-1"}
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_LONGEST = 200
"""Characters of each member of a claim."""


class Choice(Protocol):
    """What serves who asked for an accelerator."""

    @property
    def device(self) -> object | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def backing(self) -> str: ...
    @property
    def memory_bytes(self) -> int | None: ...


class Accelerators(Protocol):
    """What is attached; ``accelerators.Accelerators`` is it."""

    def report(self) -> Document: ...

    def acquire(self, asked: str, framework: str, user: str) -> Choice:
        """Raises PermanentError where nothing may serve, TemporaryError where it will."""
        ...


class Pages:
    """The WSGI application of the pages.

    Health needs nothing but the standard library, so that it answers whatever can't be loaded.

    Args:
        health: what ``GET /_emulator/health`` answers, with status 200 if its `status` is `ok`,
            else 503.
        loaded: returns once Flask may be used, for any other page.
        reset: forgets the resources and objects of an area; called by the reset pages.
    """

    def __init__(
        self,
        *,
        health: Callable[[], Document],
        reset: Callable[[Area], None],
        accelerators: Accelerators,
        loaded: Callable[[], None] = lambda: None,
    ) -> None:
        self._health, self._reset, self._accelerators = health, reset, accelerators
        self._loaded = loaded

    @cached_property
    def _application(self) -> "Flask":
        return _flask(self._reset, self._accelerators)

    def load(self) -> None:
        """Import Flask, which takes longer than the rest of the front; else the first page does."""
        self._application.test_client()  # imports what Flask itself imports late

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if environ["PATH_INFO"] == _HEALTH and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._show_health(environ, start_response)
        self._loaded()
        return self._application(environ, start_response)

    def _show_health(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        document = self._health()
        well = document.get("status") == WELL
        headers = [("Content-Type", "application/json")]
        start_response("200 OK" if well else "503 Service Unavailable", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [json.dumps(document).encode()]


def create_pages(
    *,
    health: Callable[[], Document],
    reset: Callable[[Area], None],
    accelerators: Accelerators,
    loaded: Callable[[], None] = lambda: None,
) -> Pages:
    """Return the pages; see Pages for the arguments."""
    return Pages(health=health, reset=reset, accelerators=accelerators, loaded=loaded)


def _flask(reset: Callable[[Area], None], accelerators: Accelerators) -> "Flask":
    from flask import Flask, abort, jsonify, request
    from werkzeug.exceptions import HTTPException

    flask = Flask("emulator", static_folder=None)

    @flask.before_request
    def refuse_other_origins() -> None:
        # A browser names the page's origin with every POST; other clients name none.
        if request.method == "POST" and "Origin" in request.headers:
            abort(403, "Requests from web pages are refused.")

    @flask.post("/_emulator/reset")
    def forget() -> "Response":
        asked = _area_asked(request.args.to_dict(flat=False))
        reset(Area(**asked))
        return jsonify({"reset": True, **asked})

    @flask.post("/moto-api/reset")
    def forget_everything() -> "Response":
        reset(EVERYTHING)
        return jsonify({"status": "ok"})

    @flask.route("/moto-api/", defaults={"rest": ""}, methods=_METHODS)
    @flask.route("/moto-api/<path:rest>", methods=_METHODS)
    def refuse_the_rest_of_moto(rest: str) -> "Response":
        log.info("%s /moto-api/%s is not emulated", request.method, rest)
        abort(501, "Of moto's own API, the emulator has POST /moto-api/reset alone.")

    @flask.get("/_emulator/accelerators")
    def show_accelerators() -> "Response":
        return jsonify(accelerators.report())

    @flask.post("/_emulator/accelerators/claims")
    def claim_accelerator() -> "tuple[Response, int]":
        asked, framework, user = _claim(request.get_json())
        try:
            choice = accelerators.acquire(asked, framework, user)
        except (PermanentError, TemporaryError) as refusal:
            log.warning("%s: %s", user, refusal)
            status = 409 if isinstance(refusal, PermanentError) else 503
            return jsonify({"message": str(refusal)}), status
        level = logging.INFO if choice.device is not None else logging.WARNING
        log.log(level, "%s: %s", user, choice.reason)
        answer = {
            "attached": choice.device is not None,
            "device": choice.backing,
            "memory_bytes": choice.memory_bytes,
            "reason": choice.reason,
        }
        return jsonify(answer), 200

    @flask.errorhandler(TemporaryError)
    def put_off(error: TemporaryError) -> "tuple[Response, int]":
        return jsonify({"message": str(error)}), 503

    @flask.errorhandler(HTTPException)
    def refuse(error: "HTTPException") -> "tuple[Response, int]":
        return jsonify({"message": error.description}), error.code or 500

    return flask


def _area_asked(parameters: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the account and the region of a reset, as far as they are named.

    Ends the request for anything else: whoever means a part must not lose everything.
    """
    from flask import abort

    for name, values in parameters.items():
        if name not in _AREA:
            abort(400, f"There is no parameter {name!r}. There are: {', '.join(_AREA)}.")
        if len(values) > 1 or not _AREA[name].fullmatch(values[0]):
            abort(400, f"The parameter {name!r} needs one value, such as {_EXAMPLES[name]}.")
    return {name: values[0] for name, values in parameters.items()}


def _claim(body: Any) -> tuple[str, str, str]:
    """Return a claim's members; ends the request unless it has just these, as short texts."""
    from flask import abort

    values = [body.get(name) for name in _CLAIM] if isinstance(body, dict) else []
    texts = [value for value in values if isinstance(value, str) and len(value) <= _LONGEST]
    if len(texts) < len(_CLAIM) or not texts[0] or not texts[2]:
        abort(400, f"A claim has the members {', '.join(_CLAIM)}, of up to {_LONGEST} characters.")
    return texts[0], texts[1], texts[2]
