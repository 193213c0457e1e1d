"""`dhemu deploy`: from an image, or a scenario's functions, to services that answer.

Rules: it goes through the platform's own API. It waits until every run is RUNNING and prints their
`service:` blocks; where one does not get there, it says why and ends with exit 4. Of a scenario only
functions and `deploy` steps count: the world around them is the running emulator's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from emulator.commands.client import Emulator, emulator_option
from emulator.commands.output import note, output_option, show
from emulator.commands.problem import PLATFORM_FAILED, Problem
from emulator.commands.runs import timeout_option, view, wait_option, wire_path
from emulator.commands.runs import wait as wait_until

if TYPE_CHECKING:
    from emulator.commands.deploying import Deployment
    from emulator.scenario.loader import Loaded

Json = dict[str, Any]

_HTTP_ECHO, _HTTP_ECHO_PORT = "hashicorp/http-echo", 5678
_PORT = 8080
_UNDERWAY = frozenset({"CREATED", "BUILT", "READY", "PENDING"})
_OF_AN_IMAGE = {
    "name": "--name",
    "ports": "--port",
    "args": "--arg",
    "envs": "--env",
    "replicas": "--replicas",
    "service_type": "--type",
    "service_name": "--service-name",
    "profile_name": "--profile-name",
}


@click.command()
@emulator_option
@click.argument("what", metavar="IMAGE|FILE")
@click.option("-p", "--project", default="default", show_default=True, metavar="P")
@click.option("--name", metavar="N", help="The function's name; by default the image's.")
@click.option("--port", "ports", multiple=True, metavar="PORT[:TARGET]", help="Repeats.")
@click.option("--arg", "args", multiple=True, metavar="A", help="To the container; repeats.")
@click.option("-e", "--env", "envs", multiple=True, metavar="K=V", help="Repeats.")
@click.option("--replicas", type=click.IntRange(1), metavar="N", help="Pods behind the service.")
@click.option(
    "--type", "service_type", type=click.Choice(["ClusterIP", "NodePort", "LoadBalancer"])
)
@click.option("--service-name", metavar="S", help="An alias for the service.")
@click.option("--profile-name", metavar="P", help="A resource profile.")
@wait_option
@timeout_option
@output_option("yaml")
@click.pass_context
def deploy(
    context: click.Context,
    /,
    emulator: Emulator,
    what: str,
    project: str,
    wait: bool,
    timeout: float,
    output: str,
    **options: Any,
) -> None:
    """Make a service of an image or of a scenario."""
    from emulator.commands.deploying import Deployer

    is_file = what.endswith((".yaml", ".yml"))
    if is_file:
        loaded = _load(what, options)
        if context.get_parameter_source("project") is ParameterSource.DEFAULT:
            project = loaded.scenario.project
        deployments = _of_scenario(loaded)
    else:
        deployments = [_of_image(what, options)]
    deployer = Deployer(emulator, project)
    deployer.project()
    runs = [deployer.run(each) for each in deployments]
    for run in runs:
        note(f"run {run['name']} ({run['id']}) is made")
    ready = [wait and _settle(emulator, run, timeout) for run in runs]
    shown = [
        _shown(emulator.get(wire_path(run)), done) for run, done in zip(runs, ready, strict=True)
    ]
    _print(dict(zip([run["name"] for run in runs], shown, strict=True)), is_file, output)


# -- what is deployed ----------------------------------------------------------------------------


def _of_image(image: str, options: dict[str, Any]) -> Deployment:
    from emulator.commands.deploying import Deployment, Function

    ports = options["ports"] or (str(_default_port(image)),)
    spec: Json = {"service_ports": [_port(text) for text in ports]}
    given = {
        "args": list(options["args"]),
        "envs": [_env(text) for text in options["envs"]],
        "replicas": options["replicas"],
        "service_type": options["service_type"],
        "service_name": options["service_name"],
        "profile": options["profile_name"],
    }
    spec |= {key: value for key, value in given.items() if value}
    name = options["name"] or _function_name(image)
    return Deployment(Function(name, "container", {"image": image}), spec)


def _repository(image: str) -> str:
    """An image's reference without tag and digest."""
    bare = image.partition("@")[0]
    folder, slash, last = bare.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def _default_port(image: str) -> int:
    named = _repository(image).removeprefix("docker.io/")
    return _HTTP_ECHO_PORT if named == _HTTP_ECHO else _PORT


def _function_name(image: str) -> str:
    from emulator.domain.names import sanitize

    name = sanitize(_repository(image).rpartition("/")[2])
    if not name:
        what = f"{image!r} gives no name for a function"
        raise Problem(what, field="IMAGE", mend="give one by --name, or mend the image")
    return name


def _port(text: str) -> Json:
    port, colon, target = text.partition(":")
    numbers = [port, target if colon else port]
    if not all(each.isascii() and each.isdigit() and 1 <= int(each) <= 65535 for each in numbers):
        mend = "write PORT or PORT:TARGET, each from 1 to 65535"
        raise Problem(f"{text!r} is no port", field="--port", mend=mend)
    return {"port": int(numbers[0]), "target_port": int(numbers[1])}


def _env(text: str) -> Json:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Problem(f"{text!r} is no variable", field="--env", mend="write NAME=VALUE")
    return {"name": name, "value": value}


def _load(path: str, options: dict[str, Any]) -> Loaded:
    from emulator.scenario.loader import load
    from emulator.scenario.rules import ScenarioError, ScenarioNotFound

    for name, option in _OF_AN_IMAGE.items():
        if options[name]:
            what = f"{option} is for an image, not for the file {path}"
            raise Problem(what, field="deploy", mend="write it in the file, or leave it out")
    if not Path(path).is_file():
        raise Problem(f"there is no file {path!r}", field="FILE", mend="give a scenario's path")
    try:
        return load(path)
    except ScenarioNotFound as error:
        raise Problem(str(error), field="FILE") from None
    except ScenarioError as error:
        for one in error.problems[1:]:
            note(f"{error.file}:{one}")
        raise Problem(f"{error.file}:{error.problems[0]}") from None


def _of_scenario(loaded: Loaded) -> list[Deployment]:
    from emulator.commands.deploying import Deployment, Function
    from emulator.scenario import schema

    scenario = loaded.scenario
    functions = {each.name: each for each in scenario.functions}
    found = []
    for step in scenario.steps:
        if isinstance(step, schema.Declare):
            functions[step.function.name] = step.function
        elif isinstance(step, schema.Deploy):
            used = functions[step.deploy]
            function = Function(used.name, used.kind, dict(used.spec))
            found.append(Deployment(function, dict(step.spec), step.name, step.id))
    if not found:
        mend = "add a step `- deploy: FUNCTION`"
        raise Problem(f"{loaded.path} deploys nothing", field="FILE", mend=mend)
    unused = [
        name for name in ("behaviours", "cluster", "registry", "profiles") if _set(scenario, name)
    ]
    if unused:
        note(
            f"{', '.join(unused)} of {loaded.path} are not applied to a running emulator "
            "(dhemu up --behaviours FILE --cluster FILE)"
        )
    return found


def _set(scenario: Any, name: str) -> bool:
    return name in scenario.model_fields_set


# -- how it goes ---------------------------------------------------------------------------------


def _settle(emulator: Emulator, run: Json, timeout: float) -> bool:
    """Waits for RUNNING; False where time is paused. Raises Problem (exit 4) saying why not."""
    if not wait_until(emulator, run, "RUNNING", _settled, timeout):
        return False
    seen = view(emulator, run)
    if seen["state"] != "RUNNING":
        what = f"it is {seen['state']} and not RUNNING: {seen['message'] or 'without a message'}"
        mend = f"dhemu why {run['id']}"
        raise Problem(what, field=run["name"], mend=mend, code=PLATFORM_FAILED)
    return True


def _settled(run: Json | None) -> bool:
    return run is None or run["status"]["state"] not in _UNDERWAY


def _shown(run: Json, ready: bool) -> Json:
    status = run["status"]
    if ready and "service" in status:
        return {"service": status["service"]}
    return {"run": {"id": run["id"], "name": run["name"], "state": status["state"]}}


def _print(shown: dict[str, Json], is_file: bool, output: str) -> None:
    if output != "text":
        show(shown if is_file else next(iter(shown.values())), output)
        return
    for name, each in shown.items():
        url = each["service"].get("url", "-") if "service" in each else each["run"]["id"]
        click.echo(f"{name}  {url}" if is_file else url)
