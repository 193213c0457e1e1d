"""Names, labels, keys and ports: what they may be, and what is said of those that may not.

Rules: each check answers the list of details, empty for a good value. The first example of a text is
followed by two blanks, as in the real one. Source: Kubernetes facts section 2; apimachinery's
`util/validation`.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"

_LABEL_SHAPE = re.compile(_LABEL)
_SUBDOMAIN_SHAPE = re.compile(_SUBDOMAIN)
_QUALIFIED_SHAPE = re.compile(_QUALIFIED)
_VALUE_SHAPE = re.compile(_VALUE)
_CONFIG_KEY_SHAPE = re.compile(_CONFIG_KEY)
_PERCENT_SHAPE = re.compile("[0-9]+%")
#: Label values, each ended by a line's end: all of them in one match.
_VALUE_LINES = re.compile(r"(?:(?:[A-Za-z0-9]++(?:[-_.]++[A-Za-z0-9]++)*+)?\n)*+")

PORT_TEXT = "must be between 1 and 65535, inclusive"


def _shape(text: str, shape: str, *examples: str) -> str:
    """A regular expression's text: examples end in a comma and a blank."""
    shown = " or ".join(f"'{each}', " for each in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{shape}')"


_LABEL_TEXT = _shape(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_TEXT = _shape(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_QUALIFIED_TEXT = _shape(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_VALUE_TEXT = _shape(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_TEXT = _shape(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_PERCENT_TEXT = _shape(
    "a valid percent string must be a numeric string followed by an ending '%'",
    "[0-9]+%",
    "1%",
    "93%",
)


def _longer(value: str, limit: int) -> list[str]:
    return [f"must be no more than {limit} characters"] if len(value) > limit else []


def label(value: str) -> list[str]:
    """A DNS-1123 label: Services since 1.36, namespaces, containers, names of Service ports."""
    if _LABEL_SHAPE.fullmatch(value):
        return _longer(value, 63)
    dotted = _SUBDOMAIN_SHAPE.fullmatch(value) is not None
    return [*_longer(value, 63), "must not contain dots" if dotted else _LABEL_TEXT]


@lru_cache(maxsize=1024)
def namespace(value: str) -> tuple[str, ...]:
    """The name of a namespace: a label, and one of few."""
    return tuple(label(value))


def subdomain(value: str) -> list[str]:
    """A DNS-1123 subdomain: the names of most kinds."""
    found = _longer(value, 253)
    return found if _SUBDOMAIN_SHAPE.fullmatch(value) else [*found, _SUBDOMAIN_TEXT]


@lru_cache(maxsize=4096)
def qualified(value: str) -> tuple[str, ...]:
    """The key of a label or an annotation: a name, after a subdomain and a slash if need be."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        tail = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return (f"a qualified name {_QUALIFIED_TEXT}{tail}",)
    found: list[str] = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found += [f"prefix part {each}" for each in subdomain(prefix)]
    if not name:
        found.append("name part must be non-empty")
    found += [f"name part {each}" for each in _longer(name, 63)]
    if not _QUALIFIED_SHAPE.fullmatch(name):
        found.append(f"name part {_QUALIFIED_TEXT}")
    return tuple(found)


@lru_cache(maxsize=4096)
def good_keys(keys: tuple[str, ...]) -> bool:
    """Whether all are good keys; a set of keys is seen again and again."""
    return not any(map(qualified, keys))


def label_value(value: str) -> list[str]:
    """The value of a label."""
    found = _longer(value, 63)
    return found if _VALUE_SHAPE.fullmatch(value) else [*found, _VALUE_TEXT]


def good_values(values: list[str]) -> bool:
    """Whether all are good label values: one match for all of them."""
    lines = "\n".join(values) + "\n"
    return (
        _VALUE_LINES.fullmatch(lines) is not None
        and max(map(len, values), default=0) < 64
        and lines.count("\n") == len(values)
    )


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or a Secret."""
    found = _longer(value, 253)
    if not _CONFIG_KEY_SHAPE.fullmatch(value):
        found.append(_CONFIG_KEY_TEXT)
    elif value == ".":
        found.append("must not be '.'")
    elif value.startswith(".."):
        found.append("must not be '..'" if value == ".." else "must not start with '..'")
    return found


def port_name(value: str) -> list[str]:
    """The name of a container's port: an IANA service name."""
    found = _longer(value, 15)
    if not re.fullmatch("[-a-z0-9]+", value):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def port_number(value: int) -> list[str]:
    """A port."""
    return [] if 1 <= value <= 65535 else [PORT_TEXT]


def port_number_or_name(value: int | str) -> list[str]:
    """A target port."""
    return port_name(value) if isinstance(value, str) else port_number(value)


def environment_name(value: str) -> list[str]:
    """The name of an environment variable."""
    if not value:
        return ["environment variable name must be non-empty"]
    if all(" " <= each <= "~" and each != "=" for each in value):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other "
        "than '='"
    ]


def percent(value: str) -> list[str]:
    """A percentage, like 25%."""
    return [] if _PERCENT_SHAPE.fullmatch(value) else [_PERCENT_TEXT]
