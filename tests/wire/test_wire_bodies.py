"""Bodies and refusals on the wire: JSON, YAML, limits, and the one form of an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire_client import API, Wire, go, strict

YAML = {"content-type": "application/x-yaml"}
JSON = {"content-type": "application/json"}
PROJECTS = f"{API}/projects"


async def _said(wire: Wire, content: bytes | str, headers: dict[str, str] = JSON) -> str:
    """The refusal of a POST of a project with such a body."""
    return await wire.refusal("POST", PROJECTS, 400, content=content, headers=headers)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"name": "demo",}',
        "{'name': 'demo'}",
        '{"name": "demo"} {}',
        '"\\ud83d" x',
        b'{"name": "\xff"}',
        "[" * 100_000,
        "NaN",
        '{"name": "demo", "spec": {"config": {"n": NaN}}}',
        '{"name": "demo", "spec": {"config": {"n": -Infinity}}}',
        '{"name": "demo", "spec": {"config": {"n": 1e999}}}',
        '{"name": "demo", "metadata": {"description": "\\ud83d"}}',
        '{"name": "demo", "spec": {"config": {"n": ' + "9" * 5000 + "}}}",
        '{"name": "demo", "spec": {"config": {"n": ' + "[" * 900 + "]" * 900 + "}}}",
    ],
)
def test_a_body_that_is_not_json(content: bytes | str) -> None:
    async def steps(wire: Wire) -> None:
        assert (await _said(wire, content)).startswith("the body ")
        await wire.get(f"{PROJECTS}/demo", 404)

    go(steps)


@pytest.mark.parametrize("content", ["", "null", "[]", '"demo"', "5", "true"])
def test_a_body_that_is_no_object(content: str) -> None:
    async def steps(wire: Wire) -> None:
        assert await _said(wire, content) == "the body must be a JSON object"

    go(steps)


def test_json_of_every_kind_comes_back() -> None:
    async def steps(wire: Wire) -> None:
        config = {"text": "ü\u2028\U0001f600\x00", "n": [1, 1.5, 10**40, None, True], "": {}}
        body = {"name": "demo", "spec": {"config": config}}
        await wire.post(PROJECTS, body)
        response = await wire.http.get(f"{PROJECTS}/demo")
        assert strict(response.content)["spec"]["config"] == config
        assert "ü".encode() in response.content

    go(steps)


def test_yaml() -> None:
    async def steps(wire: Wire) -> None:
        text = """
            name: demo
            metadata: {description: 2020-01-01}
            spec:
              config:
                when: 2020-01-01T10:00:00Z
                shared: &one [1, yes, "yes", ~]
                again: *one
        """
        made = await wire.ask("POST", PROJECTS, content=text, headers=YAML)
        assert made["metadata"]["description"] == "2020-01-01"
        config = made["spec"]["config"]
        assert config["when"] == "2020-01-01T10:00:00Z"
        assert config["again"] == config["shared"]
        assert config["shared"][::3] == [1, None]
        function = "kind: container\nname: f\nid: fid\nspec: {image: 'a:1'}\n"
        kinds = ("application/x-yaml;charset=utf-8", "application/yaml", "text/yaml")
        for number, kind in enumerate(kinds):
            await wire.ask(
                "POST",
                wire.at("functions"),
                content=function.replace("fid", f"fid{number}"),
                headers={"content-type": kind},
            )

    go(steps)


@pytest.mark.parametrize(
    "content",
    [
        "name: [demo",
        "\tname: demo",
        "name: demo\nname: other",
        "name: *nothing",
        "name: !!python/object/apply:os.getcwd []",
        "name: demo\nspec: {config: {n: .nan}}",
        "name: demo\nspec: {config: {n: -.inf}}",
        "name: demo\nspec: {config: !!binary aGk=}",
        "name: demo\nspec: {config: !!set {a, b}}",
        "name: demo\nspec: {config: {[1, 2]: 3}}",
        "name: demo\nspec: {config: &a {b: *a}}",
        "--- {name: demo}\n--- {name: other}\n",
        b"name: \xff",
        "[" * 5000,
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n"
            for n in range(9)
        ),
    ],
)
def test_a_body_that_is_not_yaml(content: bytes | str) -> None:
    async def steps(wire: Wire) -> None:
        assert (await _said(wire, content, YAML)).startswith("the body ")
        await wire.get(f"{PROJECTS}/demo", 404)

    go(steps)


def test_keys_of_yaml_become_texts() -> None:
    async def steps(wire: Wire) -> None:
        text = "name: demo\nspec: {config: {7: a, true: b, 1.5: c, ~: d, 2020-01-01: e}}"
        made = await wire.ask("POST", PROJECTS, content=text, headers=YAML)
        keys = {"7": "a", "true": "b", "1.5": "c", "null": "d", "2020-01-01": "e"}
        assert made["spec"]["config"] == keys

    go(steps)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5),
        ("name", ["demo"]),
        ("id", 5),
        ("kind", {}),
        ("project", 5),
        ("metadata", "text"),
        ("metadata", []),
        ("spec", []),
        ("spec", 5),
        ("status", "RUNNING"),
    ],
)
def test_a_wrong_type_is_named(field: str, value: Any) -> None:
    async def steps(wire: Wire) -> None:
        await wire.post(PROJECTS, {"name": "demo"})
        body = {"kind": "container", "name": "f", field: value}
        found = await wire.post(wire.at("functions"), body, 400)
        assert found["message"].startswith(f"{field}: ")

    go(steps)


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("container", {"image": ["a"]}, "spec.image"),
        ("container", {"source": "git"}, "spec.source"),
        ("container", {"image_pull_policy": "Sometimes"}, "spec.image_pull_policy"),
        ("container+serve", {"replicas": 0}, "spec.replicas"),
        ("container+serve", {"replicas": 1.5}, "spec.replicas"),
        ("container+serve", {"service_ports": {"port": 1}}, "spec.service_ports"),
        ("container+serve", {"envs": [{"name": "A", "value": {}}]}, "spec.envs[0].value"),
        ("container+serve", {"resources": {"cpu": []}}, "spec.resources.cpu"),
        ("container+serve", {"volumes": [{"name": "v"}]}, "spec.volumes[0].volume_type"),
    ],
)
def test_a_wrong_type_in_a_spec_is_named(kind: str, spec: dict[str, Any], path: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.post(PROJECTS, {"name": "demo"})
        await wire.make_function()
        where = "tasks" if "+" in kind else "functions"
        asked = {"function": wire.function, **spec} if where == "tasks" else spec
        body = {"kind": kind, "name": "f", "spec": asked}
        found = await wire.post(wire.at(where), body, 400)
        assert found["message"].startswith(f"{path}: ")

    go(steps)


def test_what_is_unknown_is_dropped() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up(nonsense={"a": 1}, envs=[{"name": "A", "value": 5, "more": 1}])
        task = await wire.get(wire.at("tasks", "tid"))
        assert "nonsense" not in task["spec"]
        assert task["spec"]["envs"] == [{"name": "A", "value": "5"}]
        body = {"kind": "container", "name": "f", "whatever": [1], "user": "me", "key": "mine"}
        made = await wire.post(wire.at("functions"), body)
        assert "whatever" not in made
        assert made["user"] == "anonymous"
        assert made["key"].startswith("store://demo/function/")

    go(steps)


def test_a_body_over_the_limit() -> None:
    async def steps(wire: Wire) -> None:
        limit = 16 * 2**20
        large = b" " * limit + b"{}"
        for path in (PROJECTS, wire.at("runs"), "/_emulator/time"):
            text = await wire.refusal("POST", path, 413, content=large)
            assert str(limit) in text

        async def pieces() -> Any:
            for _ in range(17):
                yield b" " * 2**20

        for path in (PROJECTS, "/_emulator/time"):  # no length is told beforehand
            text = await wire.refusal("POST", path, 413, content=pieces())
            assert str(limit) in text
        whole = json.dumps({"name": "demo"}).encode()
        yaml = await wire.refusal("POST", PROJECTS, 413, content=b"# " * 2**18, headers=YAML)
        assert "send it as JSON" in yaml
        fits = whole + b" " * (limit - len(whole))
        await wire.ask("POST", PROJECTS, content=fits)

    go(steps)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/-/demo/nothing", 404),
        ("GET", "/api/v1/-/demo/runs/nobody", 404),
        ("POST", "/api/v1/-/demo/runs/nobody/stop", 404),
        ("GET", "/_emulator/nothing", 404),
        ("PATCH", "/api/v1/projects", 405),
        ("DELETE", "/api/v1/-/demo/runs", 405),
        ("GET", "/api/v1/projects/%2e%2e", 404),
        ("GET", "/api/v1/projects/%ff", 404),
    ],
)
def test_a_path_that_is_none(method: str, path: str, status: int) -> None:
    async def steps(wire: Wire) -> None:
        await wire.post(PROJECTS, {"name": "demo"})
        assert await wire.refusal(method, path, status)

    go(steps)


def test_every_answer_says_who_gave_it() -> None:
    async def steps(wire: Wire) -> None:
        for path in ("/api/auth", "/nothing", "/_emulator/health", "/_emulator/openapi.json"):
            response = await wire.http.get(path)
            banner = response.headers["x-emulator"]
            for part in ("platform=simulated", "profile=core-0.15", "time=paused"):
                assert part in banner
            assert response.headers["x-api-version"]
            # the oldest SDK that is supported ends at level 15 and the newest begins at 16
            assert "x-api-level" not in response.headers

    go(steps, "core-0.15")


def test_a_failure_of_our_own_is_told_in_the_same_form() -> None:
    async def steps(wire: Wire) -> None:
        def fail() -> None:
            raise KeyError("broken on purpose")

        wire.world.plane.repository.all = fail  # type: ignore[assignment]  # any call fails
        found = await wire.get(PROJECTS, 500)
        assert found["message"].startswith("the emulator failed on this request: TypeError")
        await wire.get("/api/auth")

    go(steps)
