"""What a test needs of its machine: interpreters, and environments of the official SDKs.

Rules: an environment holds the unmodified packages from the registry, pinned; it is made once, in
`$XDG_CACHE_HOME/dhemu-tests`, under a lock, and counts only with the mark that its making ended well.
What is missing skips a test and says why; where CI is true it fails the test instead.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

if sys.platform != "win32":
    import fcntl

#: The interpreters that the product supports.
SUPPORTED = ("3.11", "3.12", "3.13")

_BUILD_SECONDS = 900


def in_ci() -> bool:
    """Whether a missing part is a failure."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def need(condition: object, reason: str) -> None:
    """Goes on if `condition` holds; else skips the test with the reason, or fails it in CI."""
    if condition:
        return
    if in_ci():
        pytest.fail(f"missing: {reason}", pytrace=False)
    pytest.skip(f"missing: {reason}")


@dataclass(frozen=True)
class Sdk:
    """A set of packages that belong together."""

    name: str
    pins: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


SDK_0_15 = Sdk(
    "sdk-0.15",
    (
        "digitalhub==0.15.11",
        "digitalhub-runtime-container==0.15.3",
        "digitalhub-runtime-python==0.15.2",
        "digitalhub-runtime-modelserve==0.15.0",
    ),
)
SDK_0_16 = Sdk("sdk-0.16", ("digitalhub==0.16.0b19", "digitalhub-runtime-container==0.16.0b5"))
SDKS = (SDK_0_15, SDK_0_16)


class BuildFailed(Exception):
    """Why an environment could not be made, in one sentence."""


def sdk_python(sdk: Sdk) -> Path:
    """The interpreter of a set's environment, made where it is not there yet; see `need`."""
    try:
        return environment(sdk.pins)
    except BuildFailed as error:
        need(False, f"the environment of {sdk}: {error}")
        raise


def environment(pins: tuple[str, ...]) -> Path:
    """The interpreter of an environment with these packages. Raises BuildFailed."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256("\n".join((*sorted(pins), version)).encode()).hexdigest()[:16]
    home = _cache()
    home.mkdir(parents=True, exist_ok=True)
    place = home / f"{key}-py{version}"
    done = place / "complete"
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    with _locked(home / f"{key}.lock"):
        if not (done.exists() and python.exists()):
            shutil.rmtree(place, ignore_errors=True)
            _make(place, python, pins)
            done.write_text("\n".join(pins) + "\n")
    return python


def _cache() -> Path:
    asked = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(asked) if os.path.isabs(asked) else Path.home() / ".cache") / "dhemu-tests"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock that ends with its process."""
    with path.open("w") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(place: Path, python: Path, pins: tuple[str, ...]) -> None:
    if uv := shutil.which("uv"):
        _call([uv, "venv", "--quiet", "--python", sys.executable, str(place)], place.parent)
        _call([uv, "pip", "install", "--quiet", "--python", str(python), *pins], place.parent)
        return
    _call([sys.executable, "-m", "venv", str(place)], place.parent)
    quiet = ["--quiet", "--disable-pip-version-check"]
    _call([str(python), "-m", "pip", "install", *quiet, *pins], place.parent)


def _call(command: list[str], cwd: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    try:
        ended = subprocess.run(
            command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=_BUILD_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(str(error)) from error
    if ended.returncode:
        said = " ".join((ended.stderr or ended.stdout).split())
        raise BuildFailed(f"{' '.join(command[:4])} ended with {ended.returncode}: {said[-600:]}")


@cache
def interpreters() -> dict[str, Path]:
    """The supported interpreters of this machine by version: on PATH, else installed by pyenv."""
    found = {}
    for version in SUPPORTED:
        if python := _interpreter(version):
            found[version] = python
    return found


def _interpreter(version: str) -> Path | None:
    candidates = []
    if on_path := shutil.which(f"python{version}"):
        candidates.append(Path(on_path))
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True)
    return next((each for each in candidates if _is(each, version)), None)


def _is(python: Path, version: str) -> bool:
    """Whether it starts and is that version: a shim may stand for nothing."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        ended = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0 and ended.stdout.strip() == version
