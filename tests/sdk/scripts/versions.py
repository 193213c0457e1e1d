"""Versions of a function, the alias of the newest one, and the small calls around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from telling import PORTS, answer, dh, ids, requests, tell

PROJECT = "sdk-versions"
LATEST = "http://s-sdk-versions-hello-latest:5678"
NAMED = "http://s-sdk-versions-hello-web:5678"

project = dh.get_or_create_project(PROJECT)
facts: dict[str, Any] = {}


def version(image: str) -> Any:
    """A new version of the one function."""
    return project.new_function(name="hello", kind="container", image=image)


def serve(function: Any, text: str, **more: Any) -> Any:
    """A service of it."""
    return function.run("serve", args=[f"-text={text}"], service_ports=PORTS, wait=True, **more)


one = version("hashicorp/http-echo:1.0")
run_one = serve(one, "one", service_name="web")
facts["aliases"] = run_one.status.service.get("aliases")
facts["by name"] = answer(requests.get(NAMED))["text"]
facts["latest first"] = answer(requests.get(LATEST))["text"]
two = version("hashicorp/http-echo:1.1")
facts["latest, second not deployed"] = answer(requests.get(LATEST))["text"]
run_two = serve(two, "two")
facts["latest second"] = answer(requests.get(LATEST))["text"]
facts["first still"] = answer(run_one.invoke())["text"]
run_two.stop()
facts["latest back"] = answer(requests.get(LATEST))["text"]

facts["newest"] = dh.get_function("hello", project=PROJECT).id == two.id
facts["by key"] = dh.get_function(one.key).spec.image
versions = dh.get_function_versions("hello", project=PROJECT)
facts["versions"] = ids(versions) == ids([one, two])
facts["listed"] = ids(dh.list_functions(PROJECT)) == [two.id]
tasks = dh.list_tasks(PROJECT, function=run_one.spec.function)
facts["tasks"] = [[each.kind, each.spec.function == run_one.spec.function] for each in tasks]
facts["all tasks"] = len(dh.list_tasks(PROJECT))

two.metadata.description = "told anew"
updated = dh.update_function(two)
facts["updated"] = [updated.id == two.id, updated.metadata.description, updated.spec.image]

exported = Path(project.export())
facts["export"] = exported.suffix, exported.is_file(), two.id in exported.read_text()
facts["embedded"] = [each["id"] == two.id for each in project.to_dict()["spec"]["functions"]]
facts["profiles"] = dh.get_k8s_resource_profiles()

dh.delete_function("hello", project=PROJECT, delete_all_versions=True)
facts["after delete"] = ids(dh.list_functions(PROJECT)), ids(dh.list_runs(PROJECT))
facts["latest gone"] = requests.get(LATEST).status_code
dh.delete_project(PROJECT)
tell(**facts)
