"""`dhemu up`: an emulator that lives until it is told to stop.

Rules: every option is also an environment variable DHEMU_UP_<NAME>; each value is checked before
anything is opened, and what is wrong names its option. Ctrl-C and SIGTERM end it well, whenever they
come: during the start by leaving it, later by the server's own way down.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import click

from emulator import __version__
from emulator.commands.client import selector
from emulator.commands.detach import ENVIRONMENT, start
from emulator.commands.output import note
from emulator.commands.problem import Problem

if TYPE_CHECKING:
    from emulator.cluster.settings import ClusterSettings
    from emulator.domain.quirks import Profile
    from emulator.server import ServerSettings
    from emulator.workloads.rules import Rule

T = TypeVar("T")

_MAX_SEED = 2**64 - 1
_PROFILES = ("documented", "core-0.15")
_DETACHING = ("detach", "ready_fd")


@click.command(context_settings={"auto_envvar_prefix": ENVIRONMENT, "show_default": True})
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    metavar="PORT",
    help="0 takes a free one.",
)
@click.option(
    "--database",
    metavar="URL|FILE|memory",
    help="What survives, and where; a file in the state directory by default.",
)
@click.option(
    "--platform", type=click.Choice(["simulated"]), default="simulated", help="What runs services."
)
@click.option("--speed", default="auto", metavar="auto|paused|N", help="How time passes.")
@click.option(
    "--seed",
    type=click.IntRange(0, _MAX_SEED),
    default=0,
    metavar="N",
    help="The luck of the world.",
)
@click.option(
    "--profile",
    type=click.Choice(_PROFILES),
    default="documented",
    help="The platform as promised, or as its code is.",
)
@click.option("--quirk", multiple=True, metavar="NAME=on|off", help="Change one quirk; repeats.")
@click.option(
    "--service-range",
    metavar="CIDR",
    show_default="172.16.0.0/12",
    help="Addresses of services.",
)
@click.option(
    "--cluster",
    metavar="FILE|NAME",
    help="A scenario whose cluster and registry are to be the emulator's.",
)
@click.option(
    "--egress", default="allow", metavar="deny|allow|HOSTS", help="What services may call outside."
)
@click.option("--behaviours", metavar="FILE", help="What answers for which image: YAML rules.")
@click.option(
    "--kube-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve the cluster to kubectl here as well.",
)
@click.option("--detach", is_flag=True, help="Go on in the background once it answers.")
@click.option("--ready-fd", type=int, hidden=True)
@click.pass_context
def up(context: click.Context, /, **options: Any) -> int:
    """Start an emulator and serve until stopped."""
    stopping = _Stopping()
    try:
        if options["detach"]:
            _detach(context.params)
        else:
            _serve(_settings(options), options, stopping)
    except KeyboardInterrupt:
        if options["detach"]:
            raise
    finally:
        stopping.restore()
    return 0


class _Stopping:
    """SIGINT and SIGTERM before and after the server, which has handlers of its own while it serves.

    Until `ready` a signal is a KeyboardInterrupt; then the server has seen it, and its way down is
    not to be disturbed.
    """

    def __init__(self) -> None:
        self.ready = False
        self._before = {
            number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if not self.ready:
            raise KeyboardInterrupt

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


# -- what it is told -----------------------------------------------------------------------------


def _settings(options: dict[str, Any]) -> ServerSettings:
    from emulator.gateway.egress import parse_egress
    from emulator.pacing import Mode
    from emulator.server import ServerSettings

    rules: tuple[Rule, ...] = ()
    if options["behaviours"] is not None:
        from emulator.commands.behaviours import read_rules

        rules = read_rules(options["behaviours"])
    cluster, deadline = _cluster(options)
    return ServerSettings(
        profile=_profile(options["profile"], options["quirk"]),
        host=options["host"],
        port=options["port"],
        database=options["database"],
        mode=_read("--speed", lambda: Mode.parse(options["speed"])),
        seed=options["seed"],
        service_range=options["service_range"],
        cluster=cluster,
        deadline=deadline,
        egress=_read("--egress", lambda: parse_egress(options["egress"])),
        rules=rules,
        kube_port=options["kube_port"],
    )


def _cluster(options: dict[str, Any]) -> tuple[ClusterSettings, int]:
    """The simulated cluster, and its progress deadline in seconds."""
    from emulator.cluster.settings import ClusterSettings
    from emulator.domain.timefmt import SECOND

    cluster, deadline = ClusterSettings(), 600
    if options["cluster"] is not None:
        from emulator.scenario.loader import load
        from emulator.scenario.rules import ScenarioError, ScenarioNotFound

        try:
            scenario = load(options["cluster"]).scenario
        except ScenarioNotFound as error:
            raise Problem(str(error), field="--cluster") from None
        except ScenarioError as error:
            raise Problem(f"{error.file}:{error.problems[0]}", field="--cluster") from None
        cluster = scenario.cluster_settings()
        deadline = scenario.cluster.progress_deadline // SECOND
    return cluster, deadline


def _read(option: str, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except ValueError as error:
        raise Problem(str(error).removeprefix(f"{option[2:]}: "), field=option) from None


def _profile(name: str, quirks: tuple[str, ...]) -> Profile:
    from emulator.domain.quirk_table import TABLE
    from emulator.domain.quirks import PROFILES, Quirk

    wanted: dict[str, list[str]] = {"on": [], "off": []}
    for text in quirks:
        quirk, _, value = text.partition("=")
        if value not in wanted:
            what = f"{text!r} does not say on or off"
            raise Problem(what, field="--quirk", mend="write NAME=on or NAME=off")
        if quirk not in set(Quirk):
            raise _unknown_quirk(quirk, [each.value for each in Quirk])
        wanted["off" if value == "on" else "on"] = [
            each for each in wanted["off" if value == "on" else "on"] if each != quirk
        ]
        wanted[value].append(quirk)
    for row in TABLE:
        if row.quirk in (*wanted["on"], *wanted["off"]) and not row.in_force:
            note(
                f"--quirk {row.quirk}: it belongs to a part that is not built yet, nothing changes"
            )
    return PROFILES[name].with_settings(on=wanted["on"], off=wanted["off"])


def _unknown_quirk(name: str, known: list[str]) -> Problem:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 3)
    mend = f"did you mean {' or '.join(near)}?" if near else f"the quirks are {', '.join(known)}"
    return Problem(f"there is no quirk {name!r}", field="--quirk", mend=mend)


# -- in the background ---------------------------------------------------------------------------


def _detach(options: dict[str, Any]) -> None:
    words = []
    for name, value in options.items():
        if name in _DETACHING or value is None:
            continue
        option = f"--{name.replace('_', '-')}"
        values = value if isinstance(value, tuple) else (value,)
        words += [f"{option}={each}" for each in values]
    endpoint, log = start(words)
    note(f"the emulator answers; its log is {log}; stop it: dhemu down{selector(endpoint)}")
    click.echo(endpoint)


# -- in the foreground ---------------------------------------------------------------------------


def _serve(settings: ServerSettings, options: dict[str, Any], stopping: _Stopping) -> None:
    import asyncio
    import logging

    from emulator.server import CannotStart, serve

    logging.basicConfig(format="dhemu: %(name)s: %(message)s", level=logging.WARNING)

    kube: list[str] = []

    def ready(endpoint: str) -> None:
        stopping.ready = True
        click.echo(_banner(settings, options, endpoint, kube), err=True)
        if options["ready_fd"] is not None:
            with open(options["ready_fd"], "w", encoding="utf-8") as parent:
                parent.write(f"{endpoint}\n")

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(settings, ready, kube.append))
    except CannotStart as error:
        raise Problem(str(error)) from None
    note("stopped")


def _loop_factory() -> Callable[[], Any] | None:
    """uvloop where it is there, asyncio's own loop elsewhere."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], Any] = uvloop.new_event_loop
    return factory


def _banner(
    settings: ServerSettings, options: dict[str, Any], endpoint: str, kube: list[str]
) -> str:
    from emulator.commands.env import environment, exports
    from emulator.commands.output import pairs

    quirks = f" ({' '.join(options['quirk'])})" if options["quirk"] else ""
    facts = [
        ("profile", f"{settings.profile.name}{quirks}"),
        ("platform", f"{options['platform']}: no real cluster, stand-ins answer"),
        ("time", settings.mode.name),
        ("seed", settings.seed),
        ("database", _database(settings.database)),
        ("egress", settings.egress),
        *(("kubectl", f"--server {url}") for url in kube),
    ]
    shown = environment(endpoint, os.environ)
    told = {name: shown[name] for name in ("DHCORE_ENDPOINT", "HTTP_PROXY", "NO_PROXY")}
    lines = [
        f"dhemu {__version__} answers at {endpoint}",
        *(f"  {line}" for line in pairs(facts).splitlines()),
        f'To use it:  eval "$(dhemu env{selector(endpoint)})"',
        *(f"  {line}" for line in exports(told).splitlines()),
    ]
    return "\n".join(lines)


def _database(text: str | None) -> str:
    """The database as people know it: a file's path, or a URL without its password."""
    from emulator.store import database_url

    url = database_url(text)
    if url == "memory":
        return "memory: nothing survives"
    if url.startswith("sqlite:///"):
        return unquote(url.removeprefix("sqlite:///"))
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:***@{host}", query="").geturl()
