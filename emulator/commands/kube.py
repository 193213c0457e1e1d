"""`dhemu kube`: the simulated cluster as a Kubernetes of its own, for kubectl and the like.

Rules: the URL and a line to use it go to stdout once requests are answered; `--kubeconfig` names the
file that is written for it, and is overwritten. Ctrl-C and SIGTERM end it well.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emulator.commands.output import note, to_yaml
from emulator.commands.problem import Problem

if TYPE_CHECKING:
    from emulator.kubeapi.serving import Bare

_ENDING = (signal.SIGINT, signal.SIGTERM)


@click.group()
def kube() -> None:
    """Serve the simulated cluster to kubectl."""


@kube.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8001,
    show_default=True,
    metavar="PORT",
    help="0 takes a free one.",
)
@click.option(
    "--nodes", type=click.IntRange(0, 5000), metavar="N", help="How many nodes; 3 by default."
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), metavar="N", help="Its luck; 0.")
@click.option(
    "--speed", default="1", show_default=True, metavar="N", help="N times the wall's time."
)
@click.option("--service-range", metavar="CIDR", help="Addresses of Services; 10.96.0.0/16.")
@click.option(
    "--scenario", metavar="FILE|NAME", help="Take cluster, registry, behaviours and seed from it."
)
@click.option(
    "--kubeconfig", type=click.Path(dir_okay=False), metavar="FILE", help="Write one here."
)
def serve(**options: Any) -> None:
    """Serve the Kubernetes API of a bare simulated cluster."""
    import asyncio

    bare = _bare(options)
    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        asyncio.run(_serve(bare, options))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    note("stopped")


def _bare(options: dict[str, Any]) -> Bare:
    import time

    from emulator.kubeapi.serving import Bare, bare_cluster
    from emulator.pacing import Mode

    try:
        mode = Mode.parse(options["speed"])
    except ValueError:
        mode = Mode.parse("paused")
    if mode.jumps or not mode.rate:
        what = f"{options['speed']!r} is no speed"
        raise Problem(what, field="--speed", mend="give a number above 0, at most 1e6")
    seed, nodes, addresses = options["seed"], options["nodes"], options["service_range"]
    if options["scenario"] is None:
        cluster = bare_cluster(3 if nodes is None else nodes, addresses or "10.96.0.0/16")
        return Bare(cluster, time.time_ns(), time.monotonic_ns, mode, seed or 0)
    if nodes is not None or addresses is not None:
        field = "--nodes" if nodes is not None else "--service-range"
        raise Problem("the scenario says this", field=field, mend="leave out one of the two")
    from emulator.commands.sim import load_file

    scenario = load_file(options["scenario"]).scenario
    return Bare(
        scenario.cluster_settings(),
        time.time_ns(),
        time.monotonic_ns,
        mode,
        scenario.seed if seed is None else seed,
        tuple(model.rule() for model in scenario.behaviours),
    )


async def _serve(bare: Bare, options: dict[str, Any]) -> None:
    import asyncio

    from emulator.kubeapi.serving import kubeconfig, listening, living
    from emulator.server import CannotStart, listen

    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in _ENDING:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(ended.set))
    try:
        sock = listen(options["host"], options["port"])
    except CannotStart as error:
        raise Problem(str(error)) from None
    with sock:
        try:
            async with living(bare) as world, listening(world, sock) as server:
                config = kubeconfig(server, bare.cluster.namespace)
                _tell(server, config, options["kubeconfig"])
                await ended.wait()
        except ValueError as error:
            raise Problem(str(error), field="--service-range") from None


def _tell(server: str, config: Any, file: str | None) -> None:
    if file is not None:
        try:
            Path(file).write_text(to_yaml(config), encoding="utf-8")
        except OSError as error:
            what = f"{file} cannot be written: {error.strerror or error}"
            raise Problem(what, field="--kubeconfig", mend="choose another file") from None
    click.echo(server)
    use = f"export KUBECONFIG={Path(file).resolve()}" if file else f"kubectl --server {server}"
    note(f"the cluster answers; to use it: {use}")
