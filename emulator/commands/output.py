"""How data is shown: text, JSON or YAML on stdout; talk on stderr.

Rules: JSON and YAML carry everything, uncut and in the order of the source; text is for people, and
only text is cut to the terminal.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FORMS = ("text", "json", "yaml")


def output_option(default: str = "text") -> Callable[[F], F]:
    """`-o text|json|yaml`, as `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMS),
        default=default,
        show_default=True,
        help="Form of the output.",
    )


def note(text: str) -> None:
    """Talk: a line on stderr."""
    click.echo(f"dhemu: {text}", err=True)


def show(data: Any, form: str) -> None:
    """Data on stdout, as JSON or YAML."""
    click.echo(to_yaml(data) if form == "yaml" else to_json(data), nl=form != "yaml")


def to_json(data: Any) -> str:
    """Indented JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def to_yaml(data: Any) -> str:
    """Block-style YAML with the keys in their order and no line folded."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = sys.maxsize
    text = StringIO()
    yaml.dump(data, text)
    return text.getvalue()


def pairs(entries: Sequence[tuple[str, object]]) -> str:
    """Lines of `key  value`, the values in one column."""
    width = max(len(key) for key, _ in entries) + 2
    return "\n".join(f"{key:{width}}{value}".rstrip() for key, value in entries)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Columns under a header, two blanks apart; lines are cut to `width` where one is given."""
    lines = [header, *([_line(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    shown = []
    for line in lines:
        text = "  ".join(f"{cell:{size}}" for cell, size in zip(line, widths, strict=True)).rstrip()
        if width is not None and len(text) > width:
            text = text[: max(width - 3, 0)] + "..."
        shown.append(text)
    return "\n".join(shown)


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is, None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _line(text: str) -> str:
    return " ".join(text.split())


def age(seconds: float) -> str:
    """A time span for people, in its largest unit: `45s`, `12m`, `3h`, `5d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size * 2:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
