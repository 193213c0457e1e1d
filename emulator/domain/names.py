"""Every name, key, reference and alias of the platform, made and read here only.

Rules (contract section 4.1 and 2.1): names of objects are sanitised to `[a-z0-9-]`, lower case, and
hold at most 62 characters, else the run fails; the task kind loses its `+` and carries no runtime
prefix of its own; ids are 32 hex digits unless the client chose one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from emulator.domain.errors import BuildError

MAX_NAME = 62
MAX_ID = 255

_UNSAFE = re.compile(r"[^a-z0-9-]")
_ID = re.compile(r"[a-zA-Z0-9._+-]+")
_PROJECT = re.compile(r"[a-z0-9-]{2,38}")
_EXECUTABLE = re.compile(
    r"(?P<kind>[^:/]+)://(?P<project>[^/:]+)/(?P<name>[^/:]+)(:(?P<id>[^/:]+))?"
)
_TASK = re.compile(r"(?P<kind>[^:/]+\+[^:/]+)://(?P<project>[^/:]+)/(?P<id>[^/:]+)")

#: Kubernetes' alphabet for random suffixes: no vowels, nothing that reads alike.
SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
#: How many suffixes there are.
SUFFIXES = len(SUFFIX_ALPHABET) ** 5
_HASH_DIGITS = str.maketrans("0123456789", "456789bcdf")

ADJECTIVES = (
    "able agile amber brave brisk calm candid clever coral cosmic crisp deft eager early fair fleet "
    "gentle glad golden happy honest humble jolly keen kind lively lucid mellow merry neat noble "
    "plucky polite proud quick quiet rapid ready rosy royal sage serene sharp sleek solid spry "
    "steady sunny swift tidy tranquil true upbeat vivid warm wise witty young zesty"
).split()
ANIMALS = (
    "alpaca badger beaver bison bobcat camel caribou cheetah condor coyote crane dingo dolphin eagle "
    "egret falcon ferret finch fox gazelle gecko gibbon heron hornet ibex iguana jackal jaguar koala "
    "lemur leopard lizard llama lynx macaw magpie marmot marten mole moose newt ocelot orca osprey "
    "otter owl panda panther pelican pika puffin puma quail raven robin salmon seal shrew sparrow "
    "stork swan tapir tiger toad turtle viper walrus weasel wombat yak zebra"
).split()


@lru_cache(maxsize=4096)
def suffix(number: int) -> str:
    """Five characters for a number from 0 to `SUFFIXES` - 1, as Kubernetes ends generated names."""
    text = ""
    for _ in range(5):
        number, digit = divmod(number, len(SUFFIX_ALPHABET))
        text += SUFFIX_ALPHABET[digit]
    return text


def sanitize(text: str) -> str:
    """Lower case, and only `a-z`, `0-9` and `-`; every other character is dropped."""
    return _UNSAFE.sub("", text.lower())


def _object_name(*parts: str) -> str:
    name = "-".join(map(sanitize, parts))
    if len(name) > MAX_NAME:
        raise BuildError(
            f"the name {name!r} has {len(name)} characters, at most {MAX_NAME} are allowed: "
            "use a shorter run id"
        )
    return name


def service_name(task_kind: str, run_id: str) -> str:
    """`s-<task>-<id>`, for instance `s-containerserve-abc`. Raises BuildError when too long."""
    return _object_name("s", task_kind, run_id)


def deployment_name(task_kind: str, run_id: str) -> str:
    """`d-<task>-<id>`. Raises BuildError when too long."""
    return _object_name("d", task_kind, run_id)


def container_name(task_kind: str, run_id: str) -> str:
    """`c-<task>-<id>`. Raises BuildError when too long."""
    return _object_name("c", task_kind, run_id)


def alias_name(project: str, function: str, alias: str, *, shorten: bool) -> str:
    """`s-<project>-<function>-<alias>`.

    Over 62 characters: with `shorten` cut and ended with a digest of the whole, else BuildError.
    """
    name = sanitize("-".join(("s", project, function, alias)))
    if len(name) <= MAX_NAME:
        return name
    if not shorten:
        raise BuildError(
            f"the alias {name!r} has {len(name)} characters, at most {MAX_NAME} are allowed"
        )
    digest = blake2b(name.encode(), digest_size=5).hexdigest()
    return f"{name[: MAX_NAME - len(digest) - 1].rstrip('-')}-{digest}"


LATEST = "latest"


def port_name(port: int) -> str:
    """The name of a service port: `port5678`."""
    return f"port{port}"


def template_hash(canonical: str) -> str:
    """A pod-template hash in Kubernetes' form: 32 bits as decimal, digits mapped to `4..f`.

    Kubernetes hashes Go's printing of the template, which cannot be had here: the form is the same,
    the value is not.
    """
    digest = blake2b(canonical.encode(), digest_size=4).digest()
    return str(int.from_bytes(digest, "big")).translate(_HASH_DIGITS)


def pod_name(replica_set: str, suffix: str) -> str:
    """A pod's name: its ReplicaSet's, cut to 58 characters, and five random ones."""
    return f"{replica_set}-"[:58] + suffix


# -- keys and references ------------------------------------------------------------------------


def project_key(project: str) -> str:
    """`store://<project>`."""
    return f"store://{project}"


def function_key(project: str, kind: str, name: str, identifier: str) -> str:
    """`store://<project>/function/<kind>/<name>:<id>`."""
    return f"store://{project}/function/{kind}/{name}:{identifier}"


def task_key(project: str, kind: str, identifier: str) -> str:
    """`store://<project>/task/<kind>/<id>`."""
    return f"store://{project}/task/{kind}/{identifier}"


def run_key(project: str, kind: str, identifier: str) -> str:
    """`store://<project>/run/<kind>/<id>:<id>`."""
    return f"store://{project}/run/{kind}/{identifier}:{identifier}"


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """`<kind>://<project>/<name>[:<id>]`."""

    kind: str
    project: str
    name: str
    id: str | None

    def __str__(self) -> str:
        tail = f":{self.id}" if self.id else ""
        return f"{self.kind}://{self.project}/{self.name}{tail}"


@dataclass(frozen=True, slots=True)
class TaskRef:
    """`<runtime>+<action>://<project>/<id>`."""

    kind: str
    project: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}://{self.project}/{self.id}"


def parse_function_ref(text: object) -> FunctionRef | None:
    """The parts of a function reference, or None when it is not one."""
    return _function_ref(text) if isinstance(text, str) else None


@lru_cache(maxsize=4096)
def _function_ref(text: str) -> FunctionRef | None:
    match = _EXECUTABLE.fullmatch(text)
    return (
        FunctionRef(match["kind"], match["project"], match["name"], match["id"]) if match else None
    )


def parse_task_ref(text: object) -> TaskRef | None:
    """The parts of a task reference, or None when it is not one."""
    return _task_ref(text) if isinstance(text, str) else None


@lru_cache(maxsize=4096)
def _task_ref(text: str) -> TaskRef | None:
    match = _TASK.fullmatch(text)
    return TaskRef(match["kind"], match["project"], match["id"]) if match else None


def valid_id(text: object) -> bool:
    """Whether a client may choose this id."""
    return isinstance(text, str) and len(text) <= MAX_ID and _ID.fullmatch(text) is not None


def valid_project(text: object) -> bool:
    """Whether this is a project's name: `[a-z0-9-]`, 2 to 38 characters."""
    return isinstance(text, str) and _PROJECT.fullmatch(text) is not None
