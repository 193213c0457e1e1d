"""The catalogue: the images that the simulated platform knows by itself.

Rules: an image is known by its repository, whatever registry, tag or digest it carries; any image that
is not known echoes the request on every port. The user's rules come first (`runtime`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from emulator.domain.workload import ContainerStart, Plan
from emulator.workloads.base import BaseProcess, Keeper
from emulator.workloads.echo import EchoProcess
from emulator.workloads.http_echo import HttpEchoProcess

Start = Callable[[ContainerStart, Keeper], BaseProcess]

#: Image repositories without registry, and what stands in for them.
KNOWN: dict[str, Start] = {"hashicorp/http-echo": HttpEchoProcess}

_REFERENCE = re.compile(r"(?P<name>[^@]+?)(?::[^/:@]*)?(?:@.*)?")


def start(container: ContainerStart, keeper: Keeper) -> BaseProcess:
    """The stand-in for the container's image."""
    return (known(container.image) or _echo)(container, keeper)


def known(image: str) -> Start | None:
    """By the repository's name, or by what follows a registry or a mirror's path."""
    match = _REFERENCE.fullmatch(image)
    name = match["name"] if match else image
    for repository, begin in KNOWN.items():
        if name == repository or name.endswith(f"/{repository}"):
            return begin
    return None


def _echo(container: ContainerStart, keeper: Keeper) -> BaseProcess:
    return EchoProcess(container, keeper, Plan())
