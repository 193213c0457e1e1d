"""The way to a running emulator: where it is, and how to ask it.

Rules: the endpoint is `--endpoint`, `DHEMU_ENDPOINT`, `DHCORE_ENDPOINT` or the default, in this order.
Proxies of the environment are ignored. An answer without X-Emulator is none of ours, and nothing but
exit 3 comes of it. A refusal is exit 2 (4xx) or 4 (5xx) with the platform's own sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import click

from emulator.commands.problem import BAD_INPUT, PLATFORM_FAILED, Problem, no_emulator

if TYPE_CHECKING:
    import httpx

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_ENDPOINT = "http://127.0.0.1:8080"

_CONNECT_TIMEOUT = 5.0
_TIMEOUT = 60.0


class Refusal(Problem):
    """The emulator answered with an error: its HTTP status and sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, code=BAD_INPUT if status < 500 else PLATFORM_FAILED)
        self.status = status


class Emulator:
    """A running emulator, reached by its URL."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def client(self, *, proxied: bool = False) -> httpx.Client:
        """A client of its own for the caller to close; `proxied` goes through the forward proxy."""
        import httpx

        return httpx.Client(
            trust_env=False,
            proxy=httpx.Proxy(self.endpoint) if proxied else None,
            verify=self.endpoint.startswith("https:"),  # certificates cost 20 ms to load
            timeout=httpx.Timeout(None if proxied else _TIMEOUT, connect=_CONNECT_TIMEOUT),
        )

    def silent(self) -> Problem:
        """Nothing answers."""
        return no_emulator(f"no emulator answers at {self.endpoint}: start one with: dhemu up")

    def foreign(self) -> Problem:
        """Something else answers."""
        return no_emulator(
            f"what answers at {self.endpoint} is no emulator: start one with: dhemu up, "
            "or name it by --endpoint"
        )

    def ask(
        self, method: str, path: str, *, body: Any = None, params: dict[str, str] | None = None
    ) -> Any:
        """The JSON of an answer, None for an empty one.

        Raises Refusal for a status of 400 or more, Problem (exit 3) where no emulator answers.
        """
        import httpx

        if self._client is None:
            self._client = self.client()
        url = self.endpoint + path
        try:
            response = self._client.request(method, url, json=body, params=params)
        except (httpx.TransportError, httpx.InvalidURL):
            raise self.silent() from None
        if "x-emulator" not in response.headers:
            raise self.foreign()
        if response.status_code >= 400:
            raise Refusal(response.status_code, _message(response))
        return response.json() if response.content else None

    def get(self, path: str, **params: str) -> Any:
        """The JSON behind a path."""
        return self.ask("GET", path, params=params or None)


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"{response.request.method} {response.request.url}: HTTP {response.status_code}"


def selector(endpoint: str) -> str:
    """What a command line needs to reach this endpoint: nothing for the default one."""
    return "" if endpoint == DEFAULT_ENDPOINT else f" --endpoint {endpoint}"


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def parse_endpoint(text: str) -> str:
    """`http://HOST:PORT`. Raises ValueError, saying so."""
    mend = "write http://HOST:PORT, like http://127.0.0.1:8080"
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError as error:
        raise ValueError(f"{text!r} is no URL: {error} ({mend})") from None
    bare = parts._replace(path="").geturl()
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is no http URL ({mend})")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"{text!r} has more than scheme, host and port ({mend})")
    return bare


def _open(context: click.Context, parameter: click.Parameter, value: str) -> Emulator:
    try:
        emulator = Emulator(parse_endpoint(value))
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
    context.call_on_close(emulator.close)
    return emulator


def emulator_option(command: F) -> F:
    """`--endpoint URL`, as `emulator`: an Emulator, closed when the command ends."""
    return click.option(
        "--endpoint",
        "emulator",
        metavar="URL",
        envvar=["DHEMU_ENDPOINT", "DHCORE_ENDPOINT"],
        show_envvar=True,
        default=DEFAULT_ENDPOINT,
        show_default=True,
        callback=_open,
        help="The emulator to talk to.",
    )(command)
