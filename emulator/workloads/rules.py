"""The user's map from images to behaviours.

Rules: a rule names an image pattern (shell style, case-sensitive, `*` also matches `/`) and exactly one
behaviour; the first rule that matches wins. A rule is checked completely when it is read: an error names
the field, the value and the mend, and the path to the field.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from emulator.domain.timefmt import parse_duration
from emulator.domain.workload import Plan, Response
from emulator.workloads.base import TEXT, reply
from emulator.workloads.behaviours import (
    Asgi,
    Behaviour,
    Command,
    Echo,
    PullError,
    Rule,
    Static,
    Upstream,
)
from emulator.workloads.lives import (
    ExitModel,
    MemoryModel,
    ProbeModel,
    Words,
    checked_stop,
    duration,
    stop,
)
from emulator.workloads.rule_errors import RuleError, explain

__all__ = [
    "BEHAVIOURS",
    "ExitModel",
    "Rule",
    "RuleError",
    "RuleModel",
    "StaticModel",
    "parse_rules",
]

#: The fields that say what answers: a rule has exactly one of them.
BEHAVIOURS = ("static", "asgi", "upstream", "command", "echo", "pull_error")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ASGI = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_MADE_FROM_BODY = ("content-length", "transfer-encoding", "connection")


class StaticModel(Words):
    """The same answer for every request; `body` is text, `json` any JSON value."""

    status: int = Field(default=200, description="HTTP status, 200 to 599")
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = Field(default=None, description="text of the answer")
    json_value: Any = Field(default=None, alias="json", description="JSON value of the answer")

    @field_validator("status")
    @classmethod
    def _final(cls, status: int) -> int:
        if not 200 <= status <= 599:
            raise ValueError(
                f"status: {status} is no final HTTP status: choose one from 200 to 599"
            )
        return status

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name):
                raise ValueError(f"headers: {name!r} is no header name: use letters, digits and -")
            if name.lower() in _MADE_FROM_BODY:
                raise ValueError(f"headers: {name} is made from the body: leave it out")
            if not value.isprintable() or not _encodes(value):
                raise ValueError(
                    f"headers: {name} has the value {value!r}: use one line of printable text"
                )
        return headers

    @field_validator("body", "json_value")
    @classmethod
    def _allowed(cls, value: Any, info: ValidationInfo) -> Any:
        status = info.data.get("status")
        if status in (204, 304) and value not in (None, ""):
            raise ValueError(
                f"{_shown(info)}: {value!r} cannot be sent with status {status}, which has no body: "
                "leave it out, or choose another status"
            )
        return value

    @field_validator("body")
    @classmethod
    def _text(cls, body: str | None) -> str | None:
        if body is not None and not _encodes(body):
            raise ValueError(f"body: {body!r} is not valid Unicode: remove the lone surrogates")
        return body

    @field_validator("json_value")
    @classmethod
    def _serialisable(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("body") is not None:
            raise ValueError(f"json: {value!r} stands beside body: keep one of the two")
        try:
            _dumps(value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"json: {value!r} is not JSON ({error}): use texts, finite numbers, booleans, null, "
                "lists and maps (quote a date)"
            ) from None
        return value

    def response(self) -> Response:
        """The answer, with a content-type after its kind unless a header gives one."""
        headers = list(self.headers.items())
        if "json_value" in self.model_fields_set:
            content, kind = _dumps(self.json_value), "application/json"
        else:
            content, kind = (self.body or "").encode(), TEXT
        return reply(self.status, headers, content, stand_in=True, content_type=kind)


class RuleModel(Words):
    """One rule as it is written; `rule()` is what the runtime takes."""

    image: str = Field(description="pattern of image references, like ghcr.io/acme/*")
    static: StaticModel | None = None
    asgi: str | None = Field(default=None, description="module:app")
    upstream: str | None = Field(default=None, description="http://host:port/base")
    command: Annotated[tuple[str, ...], Field(strict=False)] | None = Field(
        default=None, description="program and arguments of a local process, which gets PORT"
    )
    echo: Literal[True] | None = Field(default=None, description="true")
    pull_error: str | None = Field(
        default=None, min_length=1, description="the registry's refusal, like manifest unknown"
    )
    startup: str | None = Field(
        default=None, description="simulated time until it listens, like 2s"
    )
    exit: ExitModel | None = Field(default=None, description="a scripted end")
    memory: MemoryModel | None = Field(default=None, description="memory in use from some time on")
    probes: Annotated[tuple[ProbeModel, ...], Field(strict=False)] | None = Field(
        default=None, description="changes of the probes' answers"
    )
    stop: str | None = Field(
        default=None, description="simulated time from SIGTERM to its end, like 5s, or never"
    )
    listens: Annotated[tuple[int, ...], Field(strict=False)] | None = Field(
        default=None, description="container ports that answer; all where left out"
    )

    @field_validator("image")
    @classmethod
    def _pattern(cls, image: str) -> str:
        if not image or any(letter.isspace() for letter in image):
            raise ValueError(
                f"image: {image!r} is no image pattern: write one without spaces, like ghcr.io/acme/*"
            )
        return image

    @field_validator("asgi")
    @classmethod
    def _application(cls, asgi: str | None) -> str | None:
        if asgi is not None and not _ASGI.fullmatch(asgi):
            raise ValueError(f"asgi: {asgi!r} is no application: write module:app, like server:app")
        return asgi

    @field_validator("upstream")
    @classmethod
    def _address(cls, upstream: str | None) -> str | None:
        if upstream is not None and (problem := _url_problem(upstream)):
            raise ValueError(
                f"upstream: {upstream!r} {problem}: write http://host:port/base, like "
                "http://127.0.0.1:8000"
            )
        return upstream

    @field_validator("command")
    @classmethod
    def _program(cls, command: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if command is not None and not (command and command[0]):
            raise ValueError(
                f"command: {list(command)!r} names no program: write a list like [python, server.py]"
            )
        return command

    @field_validator(*BEHAVIOURS[1:])
    @classmethod
    def _alone(cls, value: Any, info: ValidationInfo) -> Any:
        others = [name for name in BEHAVIOURS if info.data.get(name) is not None]
        if value is not None and others:
            raise ValueError(
                f"{info.field_name}: {value!r} stands beside {others[0]}: a rule has one behaviour, "
                "keep one of the two"
            )
        return value

    @field_validator("startup", "exit", "memory", "probes", "stop")
    @classmethod
    def _scripted(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("command") is not None:
            shown = repr(value) if isinstance(value, str) else _shown_life(value)
            raise ValueError(
                f"{info.field_name}: {shown} stands beside command, which is a real process with a "
                "life of its own: leave one of them out"
            )
        return value

    @field_validator("startup")
    @classmethod
    def _time(cls, startup: str | None, info: ValidationInfo) -> str | None:
        return None if startup is None else duration(startup, info)

    @field_validator("stop")
    @classmethod
    def _stop(cls, text: str | None) -> str | None:
        return None if text is None else checked_stop(text)

    @field_validator("listens")
    @classmethod
    def _ports(cls, listens: tuple[int, ...] | None) -> tuple[int, ...] | None:
        for port in listens or ():
            if not 1 <= port <= 65535:
                raise ValueError(f"listens: {port} is no port: choose one from 1 to 65535")
        return listens

    @model_validator(mode="after")
    def _one(self) -> Self:
        if all(getattr(self, name) is None for name in BEHAVIOURS):
            raise ValueError(
                f"image: {self.image!r} has no behaviour: add one of {', '.join(BEHAVIOURS)}"
            )
        return self

    def rule(self) -> Rule:
        """The rule ready for use: durations parsed, the static answer made."""
        plan = Plan(
            parse_duration(self.startup) if self.startup is not None else 0,
            self.exit.exit() if self.exit is not None else None,
            self.memory.use() if self.memory is not None else None,
            tuple(
                sorted([each.change() for each in self.probes or ()], key=lambda each: each.after)
            ),
            stop(self.stop) if self.stop is not None else None,
        )
        ports = None if self.listens is None else frozenset(self.listens)
        return Rule(self.image, self._behaviour(), plan, ports)

    def _behaviour(self) -> Behaviour:
        if self.static is not None:
            return Static(self.static.response())
        if self.asgi is not None:
            return Asgi(self.asgi)
        if self.upstream is not None:
            return Upstream(self.upstream)
        if self.command is not None:
            return Command(self.command)
        if self.pull_error is not None:
            return PullError(self.pull_error)
        return Echo()


def parse_rules(rules: object) -> tuple[Rule, ...]:
    """Rules from a list of maps, in order. Raises RuleError for the first thing that is wrong."""
    if not isinstance(rules, list | tuple):
        raise RuleError(
            (), f"{rules!r} is no list of rules: write a list of maps, each with an image"
        )
    return tuple(_parse(index, entry) for index, entry in enumerate(rules))


def _parse(index: int, entry: object) -> Rule:
    if not isinstance(entry, dict):
        raise RuleError((index,), f"{entry!r} is no rule: write a map with image and a behaviour")
    try:
        return RuleModel.model_validate(entry).rule()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RuleError((index, *first["loc"]), explain(first, _FIELDS)) from None


def _fields(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


_FIELDS = {
    "": _fields(RuleModel),
    "static": _fields(StaticModel),
    "exit": _fields(ExitModel),
    "memory": _fields(MemoryModel),
    "probes": _fields(ProbeModel),
}


def _shown_life(value: Any) -> str:
    """The words of a scripted life in short."""
    first = value[0] if isinstance(value, tuple) and value else value
    return f"after {getattr(first, 'after', '')!r}"


def _shown(info: ValidationInfo) -> str:
    return "json" if info.field_name == "json_value" else str(info.field_name)


def _dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _url_problem(url: str) -> str:
    """Why the URL is no base of a server; empty if it is one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"is no URL ({error})"
    if parts.scheme not in ("http", "https"):
        return "is no http or https URL"
    if not parts.hostname or port == 0:
        return "has no host that can be called"
    if parts.query or parts.fragment or parts.username is not None:
        return "has more than scheme, host, port and path"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "has characters that a URL cannot have"
    return ""
