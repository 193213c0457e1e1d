"""Lists on the wire: pages, orders, filters."""

from __future__ import annotations

from typing import Any

import pytest
from wire_client import API, Wire, go, ids

PAGE = [
    "content",
    "pageable",
    "last",
    "totalElements",
    "totalPages",
    "size",
    "number",
    "sort",
    "numberOfElements",
    "first",
    "empty",
]


async def _functions(wire: Wire, *names: str) -> None:
    """One function a name, a second of simulated time apart; the id is `id-<name>`."""
    await wire.post(f"{API}/projects", {"name": "demo"})
    for name in names:
        body = {"kind": "container", "name": name, "id": f"id-{name}"}
        await wire.post(wire.at("functions"), body)
        await wire.advance("1s")


def test_the_shape_of_a_page() -> None:
    async def steps(wire: Wire) -> None:
        await _functions(wire, "a", "b", "c")
        found = await wire.get(wire.at("functions"), params={"size": 2})
        assert list(found) == PAGE
        assert ids(found) == ["id-c", "id-b"]  # the newest first
        assert (found["totalElements"], found["totalPages"], found["size"]) == (3, 2, 2)
        assert (found["number"], found["numberOfElements"]) == (0, 2)
        assert (found["first"], found["last"], found["empty"]) == (True, False, False)
        assert found["pageable"] == {
            "pageNumber": 0,
            "pageSize": 2,
            "sort": found["sort"],
            "offset": 0,
            "paged": True,
            "unpaged": False,
        }
        last = await wire.get(wire.at("functions"), params={"size": 2, "page": 1})
        assert ids(last) == ["id-a"]
        assert (last["first"], last["last"], last["numberOfElements"]) == (False, True, 1)
        beyond = await wire.get(wire.at("functions"), params={"page": 7})
        assert (ids(beyond), beyond["empty"], beyond["totalElements"]) == ([], True, 3)
        none = await wire.get(wire.at("runs"))
        assert (none["totalPages"], none["first"], none["last"]) == (0, True, True)

    go(steps)


@pytest.mark.parametrize("kind", ["functions", "tasks", "runs", "logs"])
def test_what_a_page_may_be_asked_with(kind: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.post(f"{API}/projects", {"name": "demo"})
        path = wire.at(kind)
        whole = await wire.get(path)
        for query in ("page=-1", "page=", "size=", "sort=", "name=", "page", "kind&state&q"):
            found = await wire.get(f"{path}?{query}")
            assert list(found) == PAGE
            assert (found["number"], found["size"]) == (0, 25)
            assert found["totalElements"] == whole["totalElements"]
        for query in ("size=0", "size=-5", "size=many", "page=first", "size=1001"):
            name = query.partition("=")[0]
            assert name in await wire.refusal("GET", f"{path}?{query}", 400)
        await wire.get(f"{path}?size=1000")

    go(steps)


def test_a_size_over_the_limit_where_a_filter_is() -> None:
    async def steps(wire: Wire) -> None:
        await _functions(wire, "a")
        assert ids(await wire.get(wire.at("functions") + "?size=1001&name=a")) == ["id-a"]
        text = await wire.refusal("GET", wire.at("functions") + "?size=1001&sort=name", 400)
        assert text == "max page size exceeded"

    go(steps)


def test_orders() -> None:
    async def steps(wire: Wire) -> None:
        await wire.post(f"{API}/projects", {"name": "demo"})
        for identifier, name in (("1", "b"), ("2", "a"), ("3", "b")):
            body = {"kind": "container", "name": name, "id": identifier}
            await wire.post(wire.at("functions"), body)
            await wire.advance("1s")

        async def order(*sorts: str) -> list[str]:
            query = {"versions": "all", "sort": list(sorts)}
            return ids(await wire.get(wire.at("functions"), params=query))

        assert await order() == ["3", "2", "1"]
        assert await order("created,ASC") == ["1", "2", "3"]
        assert await order("created,asc") == ["1", "2", "3"]
        assert await order("metadata.created,DESC") == ["3", "2", "1"]
        assert await order("id") == ["1", "2", "3"]
        assert await order("name,ASC", "id,DESC") == ["2", "3", "1"]
        assert await order("name,DESC", "id,ASC") == ["1", "3", "2"]
        for field in ("nonsense", "nonsense,ASC", "spec.image"):
            text = await wire.refusal("GET", wire.at("functions") + f"?sort={field}", 400)
            assert text.startswith("sort: no property")
            assert "created" in text
        for name in ("zz", "aa", "mm"):
            await wire.post(f"{API}/projects", {"name": name})
        assert ids(await wire.get(f"{API}/projects")) == ["aa", "demo", "mm", "zz"]

    go(steps)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["two", "one"]),
        ({"state": "RUNNING"}, ["one"]),
        ({"state": "READY"}, ["two"]),
        ({"action": "serve"}, ["two", "one"]),
        ({"action": "build"}, []),
        ({"action": "build", "task": Wire.task}, ["two", "one"]),
        ({"task": Wire.task}, ["two", "one"]),
        ({"task": "container+serve://demo/other"}, []),
        ({"function": Wire.function}, ["two", "one"]),
        ({"function": "container://demo/f"}, ["two", "one"]),
        ({"function": "container://demo/f:other"}, []),
        ({"function": "container://demo/ff"}, []),
        ({"kind": "container+serve:run"}, ["two", "one"]),
        ({"kind": "container+serve"}, []),
        ({"user": "anonymous"}, ["two", "one"]),
        ({"user": "somebody"}, []),
        ({"id": "one,nobody"}, ["one"]),
        ({"q": "tw"}, ["two"]),
        ({"q": "://demo/f"}, ["two", "one"]),
        ({"q": "nothing"}, []),
        ({"workflow": "w"}, []),
        ({"created": "2000-01-01T00:00:00Z,"}, ["two", "one"]),
        ({"created": ",2000-01-01T00:00:00Z"}, []),
        ({"updated": "2000-01-01T00:00:00Z,2001-01-01T00:00:00Z"}, []),
        ({"labels": "blue"}, ["one"]),
        ({"labels": "blue,red"}, []),
        ({"unknown": "whatever"}, ["two", "one"]),
    ],
)
def test_filters_of_runs(query: dict[str, str], found: list[str]) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        run = await wire.running_run("one")
        await wire.put(wire.at("runs", "one"), {**run, "metadata": {"labels": ["blue"]}})
        await wire.make_run("two")
        assert ids(await wire.get(wire.at("runs"), params=query)) == found

    go(steps)


def test_a_kind_that_was_not_escaped() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        path = wire.at("runs")
        assert ids(await wire.get(path + "?kind=container+serve:run")) == ["rid"]
        assert ids(await wire.get(path + f"?task={wire.task}")) == ["rid"]
        assert ids(await wire.get(path + f"?function={wire.function}")) == ["rid"]

    go(steps)


@pytest.mark.parametrize("name", ["created", "updated"])
@pytest.mark.parametrize("text", ["yesterday", "2020-13-01", "2020-01-01,tomorrow", "9" * 30])
def test_a_range_of_times_that_is_none(name: str, text: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        said = await wire.refusal("GET", wire.at("runs"), 400, params={name: text})
        assert said.startswith(f"{name}: ")

    go(steps)


def test_a_page_of_logs() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        for identifier in ("one", "two", "three"):
            await wire.running_run(identifier)
        path = wire.at("logs")
        first: Any = await wire.get(path, params={"size": 2})
        second: Any = await wire.get(path, params={"size": 2, "page": 1})
        assert [each["run"] for each in first["content"]] == ["one", "two"]
        assert [each["run"] for each in second["content"]] == ["three"]
        assert (first["totalElements"], second["last"]) == (3, True)

    go(steps)
