"""Runs on the wire: rows 16 to 27 and 30 to 34 of the contract's table, in both profiles."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from wire_client import BOTH, PORTS, Wire, go, ids, states

from emulator.domain.quirks import DOCUMENTED, Quirk
from emulator.platform import NoRoute

both = pytest.mark.parametrize("profile", BOTH)

NAME = "s-containerserve-rid"
STORY = ["RUNNING", "PENDING", "READY", "BUILT"]
PAGE_KEYS = ["name", "type", "clusterIP", "ports", "url"]
CRASHES = [{"image": "registry.example/a:1", "echo": True, "exit": {"after": "5s", "code": 3}}]


@both
def test_the_life_of_a_service(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        made = await wire.make_run()
        assert made["status"]["state"] == "READY"  # row 16
        assert states(made) == ["READY", "BUILT"]
        assert made["key"] == "store://demo/run/container+serve:run/rid:rid"  # row 18
        assert made["spec"]["image"] == "registry.example/a:1"  # merged at BUILD
        listed = await wire.get(wire.at("runs"), params={"action": "serve"})  # row 19
        assert ids(listed) == ["rid"]
        assert (listed["pageable"]["pageSize"], listed["number"]) == (25, 0)
        pending = await wire.until("PENDING")  # row 20
        assert "service" not in pending["status"]
        before = (await wire.get("/_emulator/time"))["now"]
        run = await wire.until("RUNNING")
        took = (await wire.get("/_emulator/time"))["now"] - before
        assert took <= 20  # row 21: the containers' start and one poll
        assert states(run) == STORY  # row 27
        service = run["status"]["service"]
        assert service["name"] == NAME  # row 22
        assert IPv4Address(service["clusterIP"]) in IPv4Network("172.16.0.0/12")
        port = {"name": "port8080", "port": 8080, "protocol": "TCP", "targetPort": 8080}
        assert service["ports"] == [port]
        if profile == "documented":  # row 23
            assert list(service) == PAGE_KEYS
            assert service["url"] == f"{NAME}:8080"
        else:
            namespace = wire.world.settings.cluster.namespace
            assert service["namespace"] == namespace
            assert service["url"] == f"{NAME}.{namespace}:8080"
            assert service["aliases"] == [f"s-demo-f-latest.{namespace}:8080"]  # row 25
        assert "urls" not in service  # row 24

    go(steps, profile)


@both
def test_the_objects_that_a_run_becomes(profile: str) -> None:  # row 26
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        k8s = (await wire.running_run())["status"]["k8s"]
        deployment = k8s["deployment"]
        assert deployment["metadata"]["name"] == "d-containerserve-rid"
        labels = deployment["metadata"]["labels"]
        assert labels["dhcore/run"] == "rid"
        assert labels["dhcore/framework"] == "k8sserve"
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["name"] == "c-containerserve-rid"
        assert k8s["service"]["metadata"]["name"] == NAME
        assert len(k8s["pods"]) == 1

    go(steps, profile)


@both
def test_every_port_has_a_url(profile: str) -> None:  # row 24
    async def steps(wire: Wire) -> None:
        two = [*PORTS, {"port": 9000, "target_port": 9}, {"port": 7}]
        await wire.set_up(service_ports=two)
        service = (await wire.running_run())["status"]["service"]
        assert [each["port"] for each in service["ports"]] == [8080, 9000]
        assert [each.rpartition(":")[2] for each in service["urls"]] == ["8080", "9000"]
        assert service["urls"][0] == service["url"]

    go(steps, profile)


@both
def test_an_alias_that_was_asked_for(profile: str) -> None:  # row 25
    async def steps(wire: Wire) -> None:
        await wire.set_up(service_name="web")
        await wire.running_run()
        await wire.advance("1s")  # by the promise an alias is taken over by what is RUNNING
        service = (await wire.read_run())["status"]["service"]
        hosts = {each.rpartition(":")[0].split(".")[0] for each in service["aliases"]}
        assert hosts == {"s-demo-f-web", "s-demo-f-latest"}

    go(steps, profile)


@pytest.mark.parametrize(
    ("profile", "type"), [("documented", "ClusterIP"), ("core-0.15", "NodePort")]
)
def test_the_type_where_none_is_asked_for(profile: str, type: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up(service_type=None)
        service = (await wire.running_run())["status"]["service"]
        assert service["type"] == type
        assert ("nodePort" in service["ports"][0]) == (type == "NodePort")

    go(steps, profile)


@both
def test_a_run_that_the_client_executes(profile: str) -> None:  # row 17
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        made = await wire.make_run(local_execution=True)
        assert made["status"]["state"] == "CREATED"
        await wire.advance("1h")
        assert (await wire.read_run())["status"]["state"] == "CREATED"
        for state in ("BUILT", "READY"):
            body = {**made, "status": {"state": state, "mine": 1}}
            told = await wire.put(wire.at("runs", "rid"), body)
            assert told["status"] == {"state": state, "mine": 1}
        assert await wire.get("/_emulator/services?all=true") == []

    go(steps, profile)


@both
def test_containers_that_end_again_and_again(profile: str) -> None:  # row 30
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        await wire.until("RUNNING")
        if profile == "core-0.15":
            run = await wire.until("ERROR")
            assert run["status"]["message"] == "Multiple pod restarts"
            await wire.advance("1m")  # every object is removed
            assert wire.world.route(NAME, 8080) == NoRoute()
            return
        await wire.advance("10m")
        run = await wire.read_run()
        assert run["status"]["state"] == "RUNNING"
        (shown,) = await wire.get("/_emulator/services")
        assert shown["restarts"] > 2
        assert shown["health"] == "unhealthy"
        assert "exited with code 3" in shown["message"]
        assert run["status"]["message"] == shown["message"]

    go(steps, profile, rules=CRASHES)


@both
def test_a_stop_before_the_service_runs(profile: str) -> None:  # row 31
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        await wire.until("PENDING")
        told = await wire.post(wire.at("runs", "rid") + "/stop", {})
        if profile == "core-0.15":
            assert told["status"]["state"] == "PENDING"
            await wire.until("RUNNING")
            return
        assert told["status"]["state"] == "STOP"
        run = await wire.until("STOPPED")
        assert states(run) == ["STOPPED", "PENDING", "READY", "BUILT"]

    go(steps, profile)


@both
def test_a_stop_and_a_resume(profile: str) -> None:  # rows 32 and 33
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.running_run()
        at = wire.at("runs", "rid")
        # dhcli posts no body
        assert (await wire.ask("POST", f"{at}/stop"))["status"]["state"] == "STOP"
        run = await wire.until("STOPPED")
        assert states(run) == ["STOPPED", *STORY]
        assert ("service" in run["status"]) == (profile == "core-0.15")
        await wire.get(f"{at}/logs")
        if profile == "core-0.15":
            for action in ("resume", "stop", "dance"):
                told = await wire.post(f"{at}/{action}", {})
                assert told["status"]["state"] == "STOPPED"
            return
        assert "new run" in (await wire.post(f"{at}/resume", {}, 400))["message"]
        again = await wire.post(f"{at}/stop", {}, 400)
        assert "STOPPED cannot STOP" in again["message"]
        await wire.post(f"{at}/dance", {}, 404)
        assert (await wire.read_run())["status"]["state"] == "STOPPED"

    go(steps, profile)


@both
def test_a_delete(profile: str) -> None:  # row 34
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.running_run()
        at = wire.at("runs", "rid")
        assert (await wire.delete(at))["status"]["state"] == "DELETING"
        assert (await wire.delete(at))["status"]["state"] == "DELETING"
        if profile == "core-0.15":  # the second one removes the row at once
            assert (await wire.get(at, 404))["message"] == "No such run."
            return
        assert (await wire.read_run())["status"]["state"] == "DELETING"
        await wire.advance("1m")
        for method, path in (("GET", at), ("DELETE", at), ("POST", f"{at}/stop")):
            assert await wire.refusal(method, path, 404) == "No such run."

    go(steps, profile)


@pytest.mark.parametrize(
    ("action", "core"), [("error", "ERROR"), ("complete", "COMPLETED"), ("loop", "RUNNING")]
)
@both
def test_events_that_are_the_platforms_own(profile: str, action: str, core: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.running_run()
        path = f"{wire.at('runs', 'rid')}/{action}"
        if profile == "documented":
            await wire.post(path, {}, 400)
            assert (await wire.read_run())["status"]["state"] == "RUNNING"
            return
        assert (await wire.post(path, {}))["status"]["state"] == core

    go(steps, profile)


@both
def test_a_put_of_a_run(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        run = await wire.running_run()
        spec = {**run["spec"], "image": "other:9"}
        status = {**run["status"], "state": "STOP", "mine": "yes"}
        body = {**run, "spec": spec, "status": status, "metadata": {"labels": ["seen"]}}
        told = await wire.put(wire.at("runs", "rid"), body)
        assert told["spec"] == run["spec"]  # sealed
        assert told["metadata"]["labels"] == ["seen"]
        core = profile == "core-0.15"
        assert told["status"]["state"] == ("STOP" if core else "RUNNING")
        assert told["status"].get("mine") == ("yes" if core else None)
        wrong = {**run, "status": {"state": "DANCING"}}
        assert "DANCING" in (await wire.put(wire.at("runs", "rid"), wrong, 400))["message"]

    go(steps, profile)


@both
def test_a_run_that_cannot_be_built_ends_in_error(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        long = "x" * 60
        made = await wire.make_run(long)
        assert made["status"]["state"] == "ERROR"
        assert "62" in made["status"]["message"]
        (entry,) = made["status"]["transitions"]
        assert entry["message"] == made["status"]["message"]
        portless = await wire.make_run("portless", service_ports=[])
        assert portless["status"]["state"] == "READY"
        run = await wire.until("ERROR", "portless")
        message = run["status"]["message"]
        assert message.startswith("k8s: ")
        assert ('"kind"' in message) == (profile == "core-0.15")
        assert "service" not in run["status"]

    go(steps, profile)


def test_one_quirk_alone() -> None:
    """A single quirk is turned on without the others."""

    async def steps(wire: Wire) -> None:
        await wire.set_up()
        service = (await wire.running_run())["status"]["service"]
        assert service["type"] == "ClusterIP"
        assert service["url"].endswith(f".{wire.world.settings.cluster.namespace}:8080")

    profile = DOCUMENTED.with_settings(on=[Quirk.SERVICE_URL_NAMESPACE])
    go(steps, profile)
