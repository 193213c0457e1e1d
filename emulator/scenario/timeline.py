"""A scenario's result for people: the life as a timeline, the `service:` block, the answers.

Rules: it reads the journal's rows and the result, nothing else; long names are cut to what tells one
thing from another (a run's name in the scenario, a pod's last five characters).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from emulator.domain.journal import Row
from emulator.domain.timefmt import SECOND, format_duration
from emulator.scenario import load_report
from emulator.scenario.result import Result

_HIDDEN = frozenset({"world"})


def render(result: Result, *, width: int = 110, limit: int = 400) -> str:
    """The whole result as text, lines of at most `width` columns, at most `limit` rows."""
    lines = [_title(result), ""]
    rows = [row for row in result.rows if row.kind not in _HIDDEN]
    lines += [_line(row, result, width) for row in rows[:limit]]
    if len(rows) > limit:
        lines.append(f"  ... and {len(rows) - limit} more rows in the journal")
    for name, service in result.services.items():
        lines += ["", f"# status of run {name}", service_yaml(service).rstrip()]
    for answer in result.answers:
        at = format_duration(answer.time)
        lines += ["", f"# {answer.method} {answer.url} at {at}: {answer.status}"]
        lines.append(answer.body.decode(errors="replace").rstrip("\n"))
    for load in result.loads.values():
        lines += ["", *load_report.text(load)]
    return "\n".join(lines)


def service_yaml(service: dict[str, Any]) -> str:
    """`status.service` as YAML, in the form of the platform's page."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.default_flow_style = False
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=2, offset=0)
    text = io.StringIO()
    yaml.dump({"service": service}, text)
    return text.getvalue()


def _title(result: Result) -> str:
    scenario = result.scenario
    title = f": {scenario.title}" if scenario.title else ""
    return f"{scenario.name}{title} (seed {result.seed}, profile {scenario.profile})"


def _line(row: Row, result: Result, width: int) -> str:
    who = _who(row.subject, result)
    text = f"{row.t / SECOND:10.3f}s  {who:<16}  {_what(row)}"
    for name, run in result.runs.items():
        text = text.replace(run.id, name)
    return text if len(text) <= width else text[: width - 1] + "…"


def _who(subject: str, result: Result) -> str:
    kind, _, name = subject.partition("/")
    for alias, run in result.runs.items():
        if run.id == name:
            return f"run {alias}"
        if run.id in name and kind != "Pod":
            return f"{kind.lower()} {alias}"
    if kind == "Pod":
        return f"pod {name[-5:]}"
    return f"{kind.lower()} {name}".strip()


def _what(row: Row) -> str:
    data = row.data
    if row.kind == "run":
        text = f"{data['before']} -> {data['state']}"
        return f"{text}: {data['message']}" if "message" in data else text
    if row.kind == "event":
        return f"{data['reason']}: {data['note']}"
    if row.kind == "health":
        text = str(data["health"])
        return f"{text}: {data['message']}" if "message" in data else text
    return " ".join(_words(row))


def _words(row: Row) -> Iterator[str]:
    data = row.data
    if row.kind == "command":
        yield f"> {data['verb']}"
    elif data.get("gone"):
        yield "gone" if row.kind != "endpoint" else f"endpoint {data['pod'][-5:]} gone"
    elif row.kind == "object":
        yield from _object_words(row)
    elif row.kind == "bind":
        yield f"on {data['node']}"
    elif row.kind == "endpoint":
        yield f"endpoint {data['pod'][-5:]} {'ready' if data['ready'] else 'not ready'}"
    elif row.kind == "pod":
        yield "ready" if data["ready"] else "not ready"
    elif row.kind == "alias":
        yield "taken over"
    elif row.kind == "invocation":
        yield f"{data['method']} {data['host']}: {data['status']}"
    elif row.kind == "assert":
        asked = ", ".join(f"{name} {value}" for name, value in data["asked"].items())
        yield f"assert {asked}: {'holds' if data['held'] else 'does not hold'}"
    elif row.kind in ("sent", "answered", "failed"):
        yield f"{row.kind} {data['id']}"
        yield str(data.get("status", data.get("reason", "")))
        if "latency" in data:
            yield f"after {load_report.milliseconds(data['latency'])}"
    elif row.kind == "traffic":
        why = load_report.reasons(data["outcomes"])
        yield f"sent {data['sent']}, answered {data['answered']}, failed {data['failed']}{why}"
    elif row.kind == "fault":
        yield f"{data['fault']} {data['op']}: {data['target']}"
    elif row.kind == "exit":
        yield f"container exited with code {data['code']} ({data['reason']})"
    else:
        yield row.kind
        yield from (f"{name}={value}" for name, value in sorted(data.items()))


def _object_words(row: Row) -> Iterator[str]:
    data = row.data
    if data["op"] == "DELETED":
        yield "gone"
        return
    yield "made"
    if row.subject.startswith("Service/"):
        yield f"{data['type']} {data['clusterIP']}"
        yield ", ".join(f"{port['port']} -> {port['targetPort']}" for port in data["ports"])
        if data["alias"]:
            yield "(alias)"
