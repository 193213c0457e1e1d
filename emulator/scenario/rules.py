"""The rules that a scenario file must keep, and the error that says which ones it breaks.

Rules: every problem has a rule's number; `RULES` is the one table of them. E0xx is about reading the
file, E1xx about its shape (a key, a type, the form of a value), E2xx about its meaning (names that
must exist, the order of time, the specs of the kinds). A number is never given to another rule.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple


class Mark(NamedTuple):
    """A place in a file; line and column count from 1, a column is a character."""

    line: int
    column: int


#: More problems than these nobody reads.
MAX_PROBLEMS = 100

#: Where the file begins.
START = Mark(1, 1)


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold, and the mend where a problem does not bring its own."""

    text: str
    mend: str


RULES: dict[str, Rule] = {
    "E001": Rule("the file can be read", "give the path of a file that you may read"),
    "E002": Rule("the file holds at most 1 MiB", "split it, or shorten its texts"),
    "E003": Rule("the file is UTF-8 text", "save it as UTF-8 without control characters"),
    "E004": Rule("the file is YAML", "mend the syntax here or in the line above"),
    "E005": Rule("lines are indented with spaces", "write spaces instead of the tab"),
    "E006": Rule("a key appears once in a mapping", "remove one of the two, or rename it"),
    "E007": Rule("the file is not empty", "begin it with `scenario: 1` and `name: ...`"),
    "E008": Rule("the top level is a mapping", "write keys, as in `scenario: 1`"),
    "E009": Rule(
        "the file, its aliases written out, has at most 100000 nodes in 64 levels",
        "write less, or use fewer aliases",
    ),
    "E010": Rule("values carry no tag", "remove the tag, and quote the value if it is a text"),
    "E011": Rule("the file is one document", "keep one document, without a `---` after it begins"),
    "E012": Rule("a key is a text", "put the key in quotes"),
    "E013": Rule("an alias names a complete anchor above it", "write the value out here"),
    "E101": Rule("a required key is there", "add it"),
    "E102": Rule("every key is known", "remove it"),
    "E103": Rule("a value has the right type", "give a value of that type"),
    "E104": Rule("a value is one of those allowed", "choose one of those"),
    "E105": Rule("a number or a length is within its limits", "give a value within the limits"),
    "E106": Rule("a name or a text has the right form", "write it in that form"),
    "E107": Rule("a duration has a unit", "write a number with a unit, like 1.5s or 2m"),
    "E108": Rule("a quantity is as Kubernetes writes it", "write a number and a unit, like 2Gi"),
    "E109": Rule(
        "a distribution is a duration or a known shape", "write 3s or {uniform: [1s, 3s]}"
    ),
    "E110": Rule(
        "an address range is an IPv4 network from /12 to /29", "write it like 172.16.0.0/12"
    ),
    "E111": Rule("a step has exactly one action", "keep one action a step"),
    "E112": Rule("a step has at most one of at, after, when", "keep one of them"),
    "E113": Rule(
        "a condition says what to look at", "add at least one of state, health and message"
    ),
    "E114": Rule("the schema's version is known", "write `scenario: 1`"),
    "E115": Rule("a pattern can match", "close the bracket, or write [[] for a bracket itself"),
    "E116": Rule("a value is valid", "see the key's description"),
    "E117": Rule(
        "arrivals have one of rate, every and users, and only users think",
        "write {rate: 100}, {every: {exponential: 10ms}} or {users: 5, think: 1s}",
    ),
    "E118": Rule("a bound is a comparison and a value", 'write it like "< 200ms" or ">= 99%"'),
    "E201": Rule("a function that is named exists", "declare it under functions"),
    "E202": Rule("a run that is named exists", "deploy it in a step"),
    "E203": Rule("a function is declared once", "rename one, or use a function step"),
    "E204": Rule("a run's scenario name is unique", "give this deploy another name with `as`"),
    "E205": Rule("a run's id is unique", "give another id, or leave it out"),
    "E206": Rule("a name in a list of the cluster is unique", "rename one of the two"),
    "E207": Rule("a run is deployed before it is used", "move this step after the deploy"),
    "E208": Rule(
        "a `when` without a timeout names a run deployed before it",
        "move this step after the deploy, or give the `when` a timeout",
    ),
    "E209": Rule("`at` never goes backwards", "order the steps by their time"),
    "E210": Rule("a step begins before `until`", "raise `until`, or begin the step earlier"),
    "E211": Rule("a function's kind is known", "choose a known kind"),
    "E212": Rule("a spec is one that the kind accepts", "see the kind's spec"),
    "E213": Rule("a spec has no unknown key", "remove it"),
    "E214": Rule(
        "a service port has two numbers from 1 to 65535",
        "write {port: 8080, target_port: 8080}",
    ),
    "E215": Rule("a resource profile that is named exists", "declare it under profiles"),
    "E216": Rule("resources in a spec are quantities", "write a number and a unit, like 500m"),
    "E217": Rule("a load's name is unique", "give this load another name with `as`"),
    "E218": Rule(
        "a load that the next step waits for ends by itself",
        "give it `for` or `count`, or `background: true`",
    ),
    "E219": Rule("a fault's kind is known", "choose a known kind"),
    "E220": Rule("a fault's attributes are those of its kind", "see the kind's attributes"),
    "E221": Rule(
        "a fault strikes what there is, and what its kind can strike",
        "write cluster, or parts like run/NAME",
    ),
    "E222": Rule("a fault's name is unique", "give this fault another name with `as`"),
    "E223": Rule("a fault that is healed has been named before", "name a fault that stands above"),
}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One broken rule: `line` and `column` count from 1, `path` is like `steps[2].deploy`."""

    line: int
    column: int
    rule: str
    path: str
    message: str
    mend: str

    def __str__(self) -> str:
        where = f" {self.path}:" if self.path else ""
        return f"{self.line}:{self.column}: {self.rule}{where} {self.message} ({self.mend})"


def problem(rule: str, mark: Mark, path: str, message: str, mend: str = "") -> Problem:
    """A problem with the rule's own mend, unless another is given."""
    said = message.replace("\n", " ")
    return Problem(mark.line, mark.column, rule, path, said, mend or RULES[rule].mend)


class ScenarioError(Exception):
    """A scenario that breaks rules; `file` is its name.

    `problems` are in the file's order, the first MAX_PROBLEMS that were found.
    """

    def __init__(self, problems: Iterable[Problem], file: str = "<scenario>") -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(islice(problems, MAX_PROBLEMS)))
        self.file = file
        super().__init__(self.problems, file)

    def __str__(self) -> str:
        """A line a problem: `file.yaml:12:5: E201 steps[2].deploy: what is wrong (the mend)`."""
        return "\n".join(f"{self.file}:{one}" for one in self.problems)


class ScenarioNotFound(Exception):
    """Neither a file nor a scenario of the shelf has this name; `shelf` lists what there is."""

    def __init__(self, name: str, shelf: Iterable[str]) -> None:
        self.name = name
        self.shelf: tuple[str, ...] = tuple(shelf)
        self.near: tuple[str, ...] = tuple(
            difflib.get_close_matches(name[:_LONGEST], self.shelf, n=3)
        )
        super().__init__(name, self.shelf)

    def __str__(self) -> str:
        hint = f"did you mean {' or '.join(self.near)}? " if self.near else ""
        known = ", ".join(self.shelf) or "none"
        return (
            f"no scenario {short(self.name)}: {hint}give the path of a file or a name on the shelf"
            f" ({known})"
        )


_LONGEST = 80


def nearest(word: object, known: Iterable[str]) -> str:
    """`did you mean X?; `, or an empty text where nothing comes near."""
    found = difflib.get_close_matches(str(word)[:_LONGEST], list(known), n=1)
    return f"did you mean {found[0]}? " if found else ""


def short(value: object) -> str:
    """A value as an error text shows it."""
    text = repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
