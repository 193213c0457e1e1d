"""The example of the documentation, side by side with what the emulator says of the same run."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from support import deploy, make_world, settle, status

from emulator.domain.timefmt import SECOND

PAGE = Path(__file__).parents[1] / "data" / "page_service_block.txt"
RUN = "9271ab33c0364d549c89f8b2834ae141"
ADDRESS = "172.16.143.129"
#: The seed under which this run's Service draws the page's address.
SEED = 246968


def page() -> str:
    """The block as the page's text has it, the line about its origin left out."""
    origin, _, block = PAGE.read_text(encoding="utf-8").partition("\n")
    assert origin.startswith("# Origin: ")
    return block


def ours(seed: int, run: str) -> str:
    """The same of a run of ours; the page's text has lost its indentation, so ours is taken off."""
    world = make_world(seed=seed)
    made = deploy(
        world,
        id=run,
        image="hashicorp/http-echo",
        command="/http-echo -text=hello",
        service_ports=[{"port": 5678, "target_port": 5678}],
    )
    settle(world, made)
    written = StringIO()
    yaml = YAML()
    yaml.width = 200
    yaml.dump({"service": status(made)["service"]}, written)
    return "".join(f"{line.strip()}\n" for line in written.getvalue().splitlines())


def test_the_pages_run_gives_the_pages_block_byte_for_byte() -> None:
    assert ours(SEED, RUN) == page()


def test_any_seed_gives_the_same_but_for_the_address() -> None:
    block = ours(1, RUN)
    (address,) = [line for line in block.splitlines() if line.startswith("clusterIP: 172.")]
    assert address != f"clusterIP: {ADDRESS}"
    assert block.replace(address, f"clusterIP: {ADDRESS}") == page()


def test_another_run_differs_in_its_id_alone() -> None:
    other = "0" * 32
    block = ours(SEED, other).replace(other, RUN)
    lines = zip(block.splitlines(), page().splitlines(), strict=True)
    assert [a.partition(":")[0] for a, b in lines if a != b] == ["clusterIP"]


def test_the_block_comes_with_running_and_no_earlier() -> None:
    """Contract section 4.5: not while PENDING."""
    world = make_world(rules=[{"image": "slow", "echo": True, "startup": "5s"}])
    run = deploy(world, image="slow")
    world.kernel.advance(4 * SECOND)
    assert status(run)["state"] == "PENDING"
    assert "service" not in status(run)
    settle(world, run)
    assert status(run)["state"] == "RUNNING"
    assert list(status(run)["service"]) == ["name", "type", "clusterIP", "ports", "url"]
