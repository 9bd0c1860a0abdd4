"""Jupyter as a notebook instance has it: who has a presigned URL is logged in, nobody else.

Runs as the instance's user; three lines on standard input name the instance, the key of its URLs
and its default repository. Jupyter's own passwords and tokens are off.
"""

import os
import socket
import sys
import time
from typing import Any

from jupyter_server.auth import IdentityProvider, User
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.serverapp import ServerApp
from tornado import web
from traitlets import Unicode
from traitlets.config import Config

from notebook_instance import hosts, tokens
from notebook_instance.account import NAME
from notebook_instance.instance import FOLDER

PORT = 8888
DEFAULT_KERNEL = "conda_python3"
# Without a page of log about language servers, of which there are none here.
_EXTENSIONS = {
    "jupyterlab": True,
    "nbclassic": True,
    "notebook_shim": True,
    "jupyter_server_terminals": True,
    "jupyter_lsp": False,
}
_NOT_LOGGED_IN = (
    "Open a notebook instance by a URL of its own, which is good for five minutes:"
    " aws sagemaker create-presigned-notebook-instance-url --notebook-instance-name "
)


class Presigned(IdentityProvider):
    """Knows a browser by the cookie that it got for a token."""

    key = Unicode(help="in hexadecimal").tag(config=True)
    instance = Unicode(help="the instance's name").tag(config=True)

    def get_user(self, handler: web.RequestHandler) -> User | None:
        value = handler.get_cookie(self.get_cookie_name(handler), "")
        known = tokens.is_session(value, bytes.fromhex(self.key), time.time())
        return User(username=NAME, initials="EC") if known else None

    def get_cookie_name(self, handler: web.RequestHandler) -> str:
        """A name of the instance's: browsers don't tell the ports of a machine apart."""
        return f"notebook-instance-{self.instance}"

    def get_handlers(self) -> list[tuple[str, object]]:
        return [(r"/?", Entry), (r"/login", Refusal), (r"/logout", Logout)]

    def let_in(self, handler: web.RequestHandler, seconds: int) -> None:
        """Give the browser a session of this length."""
        handler.set_cookie(
            self.get_cookie_name(handler),
            tokens.cookie(bytes.fromhex(self.key), time.time() + seconds),
            max_age=seconds,
            httponly=True,
            samesite="Lax",
        )


class Entry(JupyterHandler):
    """Where presigned URLs lead: a token opens a session, a wrong one nothing."""

    @allow_unauthenticated
    def get(self) -> None:
        provider = self.identity_provider
        token = self.get_argument("authToken", "")
        seconds = tokens.session_of(token, bytes.fromhex(provider.key), time.time())
        if seconds is not None:
            provider.let_in(self, seconds)
        elif token or self.current_user is None:
            raise web.HTTPError(403, _NOT_LOGGED_IN + provider.instance)
        self.redirect("/lab" if self.get_argument("view", "") == "lab" else "/tree")


class Refusal(JupyterHandler):
    """In place of a page to log in on."""

    @allow_unauthenticated
    def get(self) -> None:
        raise web.HTTPError(403, _NOT_LOGGED_IN + self.identity_provider.instance)


class Logout(JupyterHandler):
    """Ends the browser's session."""

    @allow_unauthenticated
    def get(self) -> None:
        self.clear_cookie(self.identity_provider.get_cookie_name(self))
        self.redirect("/login")


class Foreign(web.RequestHandler):
    """Whatever is asked under a name that is not the instance's own."""

    def prepare(self) -> None:
        raise web.HTTPError(403)


class ForeignHosts:
    """The pattern of names that are not the instance's own, as Tornado matches patterns."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def match(self, host: str) -> bool | None:
        return None if hosts.is_own(host, self._names) else True


class Server(ServerApp):
    """Jupyter's server, which first looks at what name it is asked under."""

    def init_webapp(self) -> None:
        super().init_webapp()
        names = hosts.LOCAL | {socket.gethostname().lower()}
        self.web_app.add_handlers(ForeignHosts(names), [(r".*", Foreign)])


def configuration(name: str, key: str, repository: str) -> Config:
    """Return Jupyter's settings; all that are not here are its defaults."""
    config = Config()
    config.ServerApp.ip = "0.0.0.0"
    config.ServerApp.port = PORT
    config.ServerApp.port_retries = 0
    config.ServerApp.open_browser = False
    config.ServerApp.root_dir = str(FOLDER / repository)
    config.ServerApp.default_url = "/tree"
    # Names are looked at by Server itself.
    config.ServerApp.allow_remote_access = True
    config.ServerApp.identity_provider_class = Presigned
    config.ServerApp.jpserver_extensions = _EXTENSIONS
    config.Presigned.key = key
    config.Presigned.instance = name
    config.Presigned.token = ""
    config.KernelSpecManager.ensure_native_kernel = False
    config.MappingKernelManager.default_kernel_name = DEFAULT_KERNEL
    config.LabApp.news_url = None
    config.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
    config.LabServerApp.blocked_extensions_uris = ""
    return config


def main() -> Any:
    """Serve until SIGTERM."""
    name, key, repository = sys.stdin.read().split("\n")[:3]
    os.chdir(FOLDER)
    return Server.launch_instance([], config=configuration(name, key, repository))


if __name__ == "__main__":
    main()
