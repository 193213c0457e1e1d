"""The stand-in of hashicorp/http-echo: a text on every path.

Rules: flags are read as Go's flag package reads them (`-name=value`, `--name value`, the last one
wins, `--` ends them); bad flags end it with code 2, a missing text or an argument too many with 127,
an address that cannot be listened on with 1; it answers only on the port of `-listen`.
Without a text the images of 0.x end so, and later ones, which set ECHO_TEXT, answer `hello-world`.
Source: the program's own repository, tags v0.2.3 and v1.0.0. What differs from the real one: /health
answers the text; access lines carry neither time, peer nor duration; a loopback address in `-listen`
answers like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from emulator.domain.timefmt import SECOND
from emulator.domain.workload import ContainerStart, Exit, Plan, Request, Response
from emulator.workloads.base import TEXT, BaseProcess, Keeper, reply

_USAGE = 2
_REFUSED = 127


class Ended(Exception):
    """The program ends before it listens: exit code and what it prints."""

    def __init__(self, code: int, output: str) -> None:
        super().__init__(output)
        self.code = code
        self.output = output


@dataclass(frozen=True, slots=True)
class Options:
    """What the flags say."""

    text: str
    listen: str = ":5678"
    status: int = 200


def read_options(container: ContainerStart) -> Options:
    """From command and arguments; ECHO_TEXT stands in for a missing text. Raises Ended."""
    flags, rest = _flags(_arguments(container))
    if "version" in flags:
        raise Ended(0, "http-echo v1.0.0")
    status = _status(flags.get("status-code", "200"))
    default = container.env.get("ECHO_TEXT", _image_text(container.image))
    text = flags.get("text", default)
    if not text:
        raise Ended(_REFUSED, "Missing -text option!")
    if rest:
        raise Ended(_REFUSED, "Too many arguments!")
    return Options(text, flags.get("listen", ":5678"), status)


def _image_text(image: str) -> str:
    """What the image itself sets as ECHO_TEXT."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return "" if tag.startswith("0.") else "hello-world"


def _arguments(container: ContainerStart) -> list[str]:
    """Without the program's own name, with which a command starts."""
    words = list(container.command)
    if words and not words[0].startswith("-"):
        words = words[1:]
    return words + list(container.args)


def _flags(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Flags by name without dashes, and the words after the last flag."""
    flags: dict[str, str] = {}
    while words:
        word = words[0]
        if len(word) < 2 or not word.startswith("-"):
            break
        words = words[1:]
        if word == "--":
            break
        name, given, value = word.removeprefix("-").removeprefix("-").partition("=")
        if name not in ("text", "listen", "status-code", "version"):
            raise Ended(_USAGE, f"flag provided but not defined: -{name}")
        if not given and name != "version":
            if not words:
                raise Ended(_USAGE, f"flag needs an argument: -{name}")
            value, words = words[0], words[1:]
        flags[name] = value
    return flags, words


def _status(text: str) -> int:
    """A final HTTP status; 1xx and what has not three digits would answer nobody."""
    if not text.isascii() or not text.isdigit() or not 200 <= int(text) <= 999:
        raise Ended(_USAGE, f'invalid value "{text}" for flag -status-code: parse error')
    return int(text)


def _port(listen: str) -> int | None:
    _, colon, port = listen.rpartition(":")
    if colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        return int(port)
    return None


class HttpEchoProcess(BaseProcess):
    """Answers its text, or is over before it began."""

    def __init__(self, container: ContainerStart, keeper: Keeper) -> None:
        super().__init__(container, keeper, Plan(), frozenset())
        self._response = reply(503, (), b"", stand_in=True)
        try:
            self._begin(read_options(container))
        except Ended as end:
            self.log.write(f"{end.output}\n")
            self.plan = Plan(exit=Exit(0, end.code, "Error" if end.code else "Completed"))

    def _begin(self, options: Options) -> None:
        moment = datetime.fromtimestamp(self.container.started_unix // SECOND, tz=UTC)
        stamp = f"{moment:%Y/%m/%d %H:%M:%S}"
        self.log.write(f"{stamp} [INFO] server is listening on {options.listen}\n")
        port = _port(options.listen)
        if port is None:
            reason = f"listen tcp: address {options.listen}: no port to listen on"
            raise Ended(1, f"{stamp} [ERR] server exited with: {reason}")
        self._ports = frozenset({port})
        self._response = reply(
            options.status,
            (("x-app-name", "http-echo"), ("x-app-version", "1.0.0"), ("content-type", TEXT)),
            f"{options.text}\n".encode("utf-8", "replace"),
            stand_in=True,
        )

    def answer(self, request: Request) -> Response:
        agent = next((value for name, value in request.headers if name == "user-agent"), "")
        path = request.target.partition("?")[0]
        self.log.write(
            f'{request.host} "{request.method} {path} HTTP/1.1" '
            f'{self._response.status} {len(self._response.body)} "{agent}"\n'
        )
        return self._response
