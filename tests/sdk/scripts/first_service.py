"""A service from its beginning to its end, as the platform's documentation tells it."""

from __future__ import annotations

import time
from typing import Any

from telling import PORTS, answer, dh, ids, refusal, requests, tell

PROJECT = "sdk-first"

dh.delete_project(PROJECT)  # an absent one is well
project = dh.get_or_create_project(PROJECT)
facts: dict[str, Any] = {"project": project.name, "again": dh.get_or_create_project(PROJECT).key}

text = project.new_function(name="hello", kind="container", image="hashicorp/http-echo:1.0")
echo = project.new_function(name="mirror", kind="container", image="registry.example/mirror:2")
began = time.monotonic()
first = text.run("serve", args=["-text=hello there"], service_ports=PORTS, wait=True)
facts["elapsed"] = time.monotonic() - began
facts["first"] = {"id": first.id, "state": first.status.state, "service": first.status.service}
second = echo.run("serve", service_ports=[{"port": 80, "target_port": 9}], wait=True)
facts["second"] = {"id": second.id, "state": second.status.state, "service": second.status.service}

url = f"http://{second.status.service['url']}"
facts["invoke"] = {
    "text": answer(first.invoke()),
    "get": answer(second.invoke())["json"],
    "json": answer(second.invoke(json={"a": [1, "ü"]}))["json"],
    "put": answer(second.invoke(method="PUT", data=b"\xff\x00"))["json"],
    "path": answer(second.invoke(url=f"{url}/v1/items?q=1&q=2"))["json"],
    "params": answer(second.invoke(params={"n": 3}, headers={"X-Mine": "yes"}))["json"],
    "elsewhere": refusal(lambda: second.invoke(url="http://example.org/")),
}

facts["lists"] = {
    "running": ids(dh.list_runs(PROJECT, state="RUNNING", action="serve")),
    "stopped": ids(dh.list_runs(PROJECT, state="STOPPED")),
    "building": ids(dh.list_runs(PROJECT, action="build")),
    "kind": ids(dh.list_runs(PROJECT, kind="container+serve:run")),
    "function": ids(dh.list_runs(PROJECT, function=first.spec.function)),
    "task": ids(dh.list_runs(PROJECT, task=second.spec.task)),
    "name": ids(dh.list_runs(PROJECT, name=getattr(first, "name", first.id))),
    "of function": ids(text.list_runs()),
    "nobody": ids(dh.list_runs(PROJECT, name="nobody")),
}
facts["got"] = [dh.get_run(first.key).id, dh.get_run(first.id, project=PROJECT).id]
facts["logs"] = len(first.logs())

first.stop()
first.refresh()
facts["stopped"] = {"state": first.status.state, "service": first.status.service}
facts["second stop"] = refusal(first.stop)
facts["resume"] = refusal(first.resume)
name = f"http://s-containerserve-{first.id}:5678"
facts["invoke stopped"] = answer(requests.get(name))
facts["invoke unknown"] = answer(requests.get("http://s-containerserve-nobody:5678"))

dh.delete_run(first.key)
facts["deleted by key"] = refusal(lambda: dh.get_run(first.id, project=PROJECT))
dh.delete_run(second.id, project=PROJECT, entity_id=second.id)
facts["deleted by id"] = refusal(lambda: dh.get_run(second.id, project=PROJECT))
facts["left"] = ids(dh.list_runs(PROJECT))

dh.delete_function(echo.key)
facts["functions"] = [each.name for each in dh.list_functions(PROJECT)]
dh.delete_project(PROJECT)
facts["project gone"] = refusal(lambda: dh.get_project(PROJECT))
facts["delete again"] = refusal(lambda: dh.delete_project(PROJECT))
tell(**facts)
