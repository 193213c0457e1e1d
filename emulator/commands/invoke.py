"""`dhemu invoke`: a request to a service, as a client inside the perimeter sends it.

Rules: it goes through the emulator's forward proxy to the service's own URL. The body goes to stdout
byte for byte. Exit 1 is the service's own answer outside 2xx, exit 4 the gateway's refusal, whose
sentence goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from emulator import __version__
from emulator.commands.client import Emulator, emulator_option
from emulator.commands.output import note
from emulator.commands.problem import FAILED, PLATFORM_FAILED, WELL, Problem
from emulator.commands.runs import find, run_argument
from emulator.commands.show import sentence

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]

_REFUSALS = (502, 503)
_REFUSAL_KEYS = {"status", "message", "errorCode"}


@click.command()
@emulator_option
@run_argument
@click.option("-X", "--request", "method", metavar="METHOD", help="GET, or POST with -d.")
@click.option("-d", "--data", metavar="DATA|@FILE", help="The body; @- reads stdin.")
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="Repeats.")
@click.option("-p", "--path", default="/", show_default=True, help="Path and query of the request.")
@click.option("-i", "--include", is_flag=True, help="Show the status and the headers too.")
def invoke(
    emulator: Emulator,
    run: str,
    method: str | None,
    data: str | None,
    headers: tuple[str, ...],
    path: str,
    include: bool,
) -> int:
    """Send a request to a service."""
    import httpx

    body = _body(data)
    fields = [*_defaults(body, headers), *_parsed(headers)]
    found = find(emulator, run)
    if not found["url"]:
        what = f"it has no URL to call: {sentence(found)}"
        raise Problem(what, field=found["name"], code=PLATFORM_FAILED)
    url = f"http://{found['url']}/{path.removeprefix('/')}"
    verb = (method or ("GET" if body is None else "POST")).upper()
    with emulator.client(proxied=True) as client:
        try:
            request = httpx.Request(verb, url, headers=fields, content=body)
            with contextlib.closing(client.send(request, stream=True)) as response:
                return _show(emulator, found, response, include)
        except (httpx.InvalidURL, httpx.LocalProtocolError) as error:
            raise Problem(f"it cannot be sent: {error}", field="request") from None
        except httpx.ConnectError:
            raise emulator.silent() from None
        except httpx.TransportError as error:
            what = f"the answer broke off: {error or type(error).__name__}"
            raise Problem(what, field=found["name"], code=PLATFORM_FAILED) from None


def _body(data: str | None) -> bytes | None:
    if data is None:
        return None
    if not data.startswith("@"):
        return data.encode()
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        what = f"{data[1:]!r} cannot be read: {error.strerror or error}"
        raise Problem(what, field="--data", mend="give @ and the path of a file") from None


def _parsed(headers: tuple[str, ...]) -> list[tuple[str, str]]:
    found = []
    for text in headers:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not value.isprintable() or not text.isascii():
            what = f"{text!r} is no header"
            raise Problem(what, field="--header", mend="write NAME:VALUE, in ASCII")
        found.append((name.strip(), value.strip()))
    return found


def _defaults(body: bytes | None, headers: tuple[str, ...]) -> list[tuple[str, str]]:
    """What is sent unless the caller says otherwise: the type of a body is JSON if it is JSON."""
    given = {text.partition(":")[0].strip().lower() for text in headers}
    defaults = {"Accept": "*/*", "User-Agent": f"dhemu/{__version__}"}
    if body is not None:
        defaults["Content-Type"] = "application/json" if _is_json(body) else "text/plain"
    return [(name, value) for name, value in defaults.items() if name.lower() not in given]


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _show(emulator: Emulator, run: Json, response: httpx.Response, include: bool) -> int:
    if "x-emulator" not in response.headers:
        raise emulator.foreign()
    if response.status_code in _REFUSALS and (said := _refusal(response)):
        raise Problem(said, field=run["name"], code=PLATFORM_FAILED)
    out = sys.stdout.buffer
    if include:
        out.write(_head(response))
    _copy(response, out)
    if response.is_success:
        return WELL
    note(f"{run['name']} answered {response.status_code} {response.reason_phrase}".rstrip())
    return FAILED


def _refusal(response: httpx.Response) -> str:
    """The sentence of an answer that the gateway made itself; empty for a service's own."""
    response.read()
    try:
        body = response.json()
    except ValueError:
        return ""
    if isinstance(body, dict) and set(body) == _REFUSAL_KEYS:
        return str(body["message"]) if body["status"] == response.status_code else ""
    return ""


def _head(response: httpx.Response) -> bytes:
    lines = [f"{response.http_version} {response.status_code} {response.reason_phrase}".encode()]
    lines += [name + b": " + value for name, value in response.headers.raw]
    return b"\r\n".join([*lines, b"", b""])


def _copy(response: httpx.Response, out: BinaryIO) -> None:
    if response.is_stream_consumed:
        out.write(response.content)
    else:
        for chunk in response.iter_raw():
            out.write(chunk)
            out.flush()
    out.flush()
