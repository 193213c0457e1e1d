"""A service that is not ready yet: time is paused, so nothing comes to be."""

from __future__ import annotations

import os
from typing import Any

from telling import PORTS, answer, dh, refusal, requests, tell

project = dh.get_or_create_project("sdk-paused")
function = project.new_function(name="hello", kind="container", image="hashicorp/http-echo:1.0")
run = function.run("serve", args=["-text=late"], service_ports=PORTS, wait=False)
run.refresh()
facts: dict[str, Any] = {"id": run.id, "state": run.status.state, "service": run.status.service}
facts["invoke"] = refusal(run.invoke)

url = f"http://s-containerserve-{run.id}:5678"
facts["at once"] = answer(requests.get(url))
until = {"until": {"run": run.id, "state": "PENDING"}}
requests.post(f"{os.environ['DHCORE_ENDPOINT']}/_emulator/time", json=until).raise_for_status()
response = requests.get(url)
facts["pending"] = {**answer(response), "emulator": response.headers["X-Emulator"]}
tell(**facts)
