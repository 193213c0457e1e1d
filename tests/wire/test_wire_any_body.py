"""Any body at all: it is taken or refused in the right form, and it breaks nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_client import API, Wire, go, strict

pytestmark = pytest.mark.slow

PROJECTS = f"{API}/projects"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from([Wire.function, Wire.task, "container", "demo", "ClusterIP"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
specs = st.dictionaries(
    st.sampled_from(
        "image command source args envs volumes resources secrets profile service_ports "
        "service_type service_name replicas local_execution config fs_group".split()
    ),
    json_values
    | st.lists(
        st.fixed_dictionaries({"port": st.integers(-1, 70_000), "target_port": st.integers(1, 9)}),
        max_size=2,
    ),
    max_size=5,
)
bodies = st.fixed_dictionaries(
    {"spec": specs | json_values},
    optional={
        "name": json_values,
        "id": json_values,
        "metadata": st.dictionaries(
            st.sampled_from(["labels", "description", "version", "embedded", "relationships"]),
            json_values,
        )
        | json_values,
        "status": json_values,
        "extensions": json_values,
    },
)


@given(bodies=st.lists(bodies, min_size=1, max_size=4), data=st.data())
def test_no_body_makes_us_fail(bodies: list[dict[str, Any]], data: st.DataObject) -> None:
    """Whatever is posted is taken or refused, and what was taken can be listed."""

    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        fixed = {
            "projects": (PROJECTS, {}),
            "functions": (wire.at("functions"), {"kind": "container"}),
            "tasks": (wire.at("tasks"), {"kind": "container+serve"}),
            "runs": (wire.at("runs"), {"kind": "container+serve:run"}),
        }
        for body in bodies:
            kind = data.draw(st.sampled_from(sorted(fixed)))
            path, base = fixed[kind]
            spec = body["spec"]
            if isinstance(spec, dict):
                spec = {"task": wire.task, "function": wire.function, **spec}
            await _taken_or_refused(wire, "POST", path, {**base, **body, "spec": spec})
            await _taken_or_refused(wire, "PUT", wire.at("runs", "rid"), body)
            await _taken_or_refused(wire, "PUT", wire.at("functions", "fid"), body)
        await wire.advance("1m")
        for kind in ("projects", "functions", "tasks", "runs"):
            response = await wire.http.get(f"{API}/{kind}")
            assert response.status_code == 200
            strict(response.content)
        await wire.get("/_emulator/services?all=true")

    go(steps)


async def _taken_or_refused(wire: Wire, method: str, path: str, body: Any) -> None:
    response = await wire.http.request(method, path, json=body)
    assert response.status_code in (200, 400, 404), response.text
    strict(response.content)
