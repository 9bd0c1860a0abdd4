"""A notebook instance's Jupyter server as a client sees it: log in, put files there, run notebooks.

Everything goes through the presigned URL, the server's REST API and the kernels' websocket, as a
browser's does. Nothing looks into the container.
"""

import base64
import json
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import requests
import websocket
from notebooks import Notebook, code

_REPLY_SECONDS = 60
_CELL_SECONDS = 300


class JupyterServer:
    """A session that a presigned URL has logged in.

    Args:
        authorized: the URL that CreatePresignedNotebookInstanceUrl returned.
    """

    def __init__(self, authorized: str) -> None:
        where = urlsplit(authorized)
        self.address = where.netloc
        self.url = f"{where.scheme}://{where.netloc}"
        self._session = requests.Session()
        reply = self._session.get(authorized, timeout=_REPLY_SECONDS)
        assert reply.status_code == 200, (reply.status_code, reply.text[:500])
        # Whoever changes something repeats the cookie that only the page's own origin can read.
        self._session.headers["X-XSRFToken"] = self._session.cookies.get("_xsrf", "")

    def __enter__(self) -> "JupyterServer":
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def get(self, path: str) -> Any:
        return self._json("GET", path)

    def put(self, file: Path, name: str) -> None:
        """Upload a file to a path below the instance's folder, whose folders are there already."""
        content = {
            "type": "file",
            "format": "base64",
            "content": base64.b64encode(file.read_bytes()).decode(),
        }
        self._json("PUT", f"/api/contents/{name}", content)

    def put_folder(self, folder: Path, name: str) -> None:
        """Upload the files of a folder, without those below it."""
        self._json("PUT", f"/api/contents/{name}", {"type": "directory"})
        for file in sorted(path for path in folder.iterdir() if path.is_file()):
            self.put(file, f"{name}/{file.name}")

    def put_notebook(self, notebook: Notebook, name: str) -> None:
        self._json("PUT", f"/api/contents/{name}", {"type": "notebook", "content": notebook})

    def execute(self, notebook: Notebook, name: str, kernel: str) -> Notebook:
        """Save a notebook on the server, run its cells there in order and save it with its outputs.

        A cell that raises ends the run with its traceback.
        """
        self.put_notebook(notebook, name)
        session = self._json(
            "POST",
            "/api/sessions",
            {"path": name, "name": name, "type": "notebook", "kernel": {"name": kernel}},
        )
        try:
            with Kernel(self, session["kernel"]["id"]) as running:
                for cell in code(notebook):
                    running.run(cell)
        finally:
            self.put_notebook(notebook, name)
            self._json("DELETE", f"/api/sessions/{session['id']}")
        return notebook

    def websocket(self, path: str, **options: Any) -> websocket.WebSocket:
        """Open a websocket with the session's cookies."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._session.cookies)
        return websocket.create_connection(
            f"ws://{self.address}{path}", cookie=cookies, timeout=_REPLY_SECONDS, **options
        )

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        reply = self._session.request(method, self.url + path, json=body, timeout=_REPLY_SECONDS)
        assert reply.ok, (method, path, reply.status_code, reply.text[:1000])
        return reply.json() if reply.content else None


class Kernel:
    """A running kernel, by Jupyter's message protocol over its websocket."""

    def __init__(self, server: JupyterServer, kernel: str) -> None:
        self._session = uuid.uuid4().hex
        self._socket = server.websocket(
            f"/api/kernels/{kernel}/channels?session_id={self._session}"
        )

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def run(self, cell: Any) -> None:
        """Run one cell and keep its outputs in it; fails with the traceback of one that raises."""
        request = self._send("execute_request", code=cell.source, silent=False, store_history=True)
        deadline = time.monotonic() + _CELL_SECONDS
        cell.outputs = []
        waiting = {"idle", "reply"}
        while waiting:
            assert time.monotonic() < deadline, f"a cell takes too long: {cell.source}"
            try:
                message = json.loads(self._socket.recv())
            except websocket.WebSocketTimeoutException:
                continue
            if message.get("parent_header", {}).get("msg_id") != request:
                continue
            waiting -= {_ends(message)}
            if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
                cell.outputs.append(nbformat.v4.output_from_msg(message))
        errors = [output for output in cell.outputs if output.output_type == "error"]
        assert not errors, "\n".join([cell.source, printed(cell), *errors[0].traceback])

    def _send(self, kind: str, **content: Any) -> str:
        number = uuid.uuid4().hex
        header = {
            "msg_id": number,
            "msg_type": kind,
            "session": self._session,
            "username": "test",
            "date": "",
            "version": "5.3",
        }
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
        self._socket.send(json.dumps(message))
        return number


def _ends(message: dict[str, Any]) -> str:
    """Return which of the two ends of a cell a message is, if any: its reply, or idleness."""
    if message["msg_type"] == "execute_reply":
        return "reply"
    if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
        return "idle"
    return ""


def printed(cell: Any) -> str:
    """Return what a cell wrote to its output streams."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")
