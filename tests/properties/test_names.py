"""Names, keys and references: valid where they are used, one to one, and read back as written."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import deploy, make_world, settle, status

from emulator.domain import names
from emulator.domain.errors import BuildError
from emulator.domain.lifecycle import State

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
TASK = "container+serve"

ids = st.from_regex(r"[a-zA-Z0-9._+-]{1,70}", fullmatch=True)
projects = st.from_regex(r"[a-z0-9-]{2,38}", fullmatch=True)
words = st.text(min_size=1, max_size=80)
parts = st.from_regex(r"[^:/\n]{1,20}", fullmatch=True)


@given(ids)
def test_a_name_is_a_dns_label_or_no_name(identifier: str) -> None:
    """An id that ends in a dash, or of which nothing is left, is the cluster's to refuse."""
    makers = (names.service_name, names.deployment_name, names.container_name)
    for prefix, make in zip("sdc", makers, strict=True):
        if len(names.sanitize(identifier)) > 62 - len("s-containerserve-"):
            with pytest.raises(BuildError, match="at most 62"):
                make(TASK, identifier)
            continue
        name = make(TASK, identifier)
        assert name.startswith(f"{prefix}-containerserve-")
        assert len(name) <= 62
        assert LABEL.fullmatch(name) or name.endswith("-")


@given(st.lists(ids, min_size=2, max_size=20))
def test_distinct_sanitised_ids_have_distinct_names(identifiers: list[str]) -> None:
    by_name: dict[str, str] = {}
    for identifier in identifiers:
        if len(names.sanitize(identifier)) > 40:
            continue
        name = names.service_name(TASK, identifier)
        assert by_name.setdefault(name, names.sanitize(identifier)) == names.sanitize(identifier)
        assert name.removeprefix("s-containerserve-") == names.sanitize(identifier)


@given(projects, words, words)
def test_a_shortened_alias_fits_and_ends_as_a_label_does(
    project: str, function: str, alias: str
) -> None:
    name = names.alias_name(project, function, alias, shorten=True)
    assert len(name) <= 62
    whole = names.sanitize(f"s-{project}-{function}-{alias}")
    if len(whole) <= 62:
        assert name == whole
    else:
        assert LABEL.fullmatch(name)


@given(st.sets(st.from_regex(r"[a-z0-9]{1,30}", fullmatch=True), min_size=2, max_size=30))
def test_shortened_aliases_stay_apart(endings: set[str]) -> None:
    """They differ only in what is cut off: the digest tells them apart."""
    made = {names.alias_name("demo", "f" * 60, each, shorten=True) for each in endings}
    assert len(made) == len(endings)


@given(projects, words, words)
def test_without_shortening_a_long_alias_is_refused(
    project: str, function: str, alias: str
) -> None:
    whole = names.sanitize(f"s-{project}-{function}-{alias}")
    if len(whole) <= 62:
        assert names.alias_name(project, function, alias, shorten=False) == whole
    else:
        with pytest.raises(BuildError, match="at most 62"):
            names.alias_name(project, function, alias, shorten=False)


@given(parts, parts, parts, st.none() | parts)
def test_a_function_reference_is_read_as_it_was_written(
    kind: str, project: str, name: str, identifier: str | None
) -> None:
    ref = names.FunctionRef(kind, project, name, identifier)
    assert names.parse_function_ref(str(ref)) == ref


@given(parts, parts, parts, parts)
def test_a_task_reference_is_read_as_it_was_written(
    runtime: str, action: str, project: str, identifier: str
) -> None:
    ref = names.TaskRef(f"{runtime}+{action}", project, identifier)
    assert names.parse_task_ref(str(ref)) == ref


@given(st.text(max_size=40) | st.integers() | st.none())
def test_what_is_no_reference_is_none(text: object) -> None:
    if not isinstance(text, str) or "://" not in text:
        assert names.parse_function_ref(text) is None
        assert names.parse_task_ref(text) is None


@given(ids, projects)
def test_keys_hold_what_they_name(identifier: str, project: str) -> None:
    assert names.run_key(project, f"{TASK}:run", identifier) == (
        f"store://{project}/run/container+serve:run/{identifier}:{identifier}"
    )
    assert names.task_key(project, TASK, identifier) == (
        f"store://{project}/task/container+serve/{identifier}"
    )
    assert names.function_key(project, "container", "f", identifier) == (
        f"store://{project}/function/container/f:{identifier}"
    )
    assert names.project_key(project) == f"store://{project}"


@given(st.text(max_size=300))
def test_an_id_is_what_a_url_path_can_hold(text: str) -> None:
    allowed = re.fullmatch(r"[a-zA-Z0-9._+-]{1,255}", text) is not None
    assert names.valid_id(text) is allowed


@given(st.text(min_size=5, max_size=5, alphabet=names.SUFFIX_ALPHABET), ids)
def test_a_pod_name_fits(suffix: str, replica_set: str) -> None:
    name = names.pod_name(replica_set, suffix)
    assert len(name) <= 63
    assert name.endswith(suffix)


@given(st.text())
def test_a_template_hash_has_the_alphabet_of_kubernetes(text: str) -> None:
    assert re.fullmatch(r"[456789bcdf]{1,10}", names.template_hash(text))


@given(st.sets(ids, min_size=1, max_size=4), st.sampled_from(["documented", "core-0.15"]))
def test_run_name_and_url_are_one_to_one(identifiers: set[str], profile: str) -> None:
    sanitised = [names.sanitize(each) for each in sorted(identifiers)]
    assume(len(set(sanitised)) == len(sanitised))
    # a label of the run's objects holds the id: one that begins or ends in a dash the cluster refuses
    assume(all(each == each.strip("-") for each in sanitised))
    world = make_world(profile, pod_range="10.240.0.0/24", balancer_range="198.18.0.0/24")
    runs = [settle(world, deploy(world, id=each)) for each in sorted(identifiers)]
    found: dict[str, str] = {}
    for run, name in zip(runs, sanitised, strict=True):
        if len(name) > 45 or not name or name.endswith("-"):
            assert run.state is State.ERROR
            continue
        assert run.state is State.RUNNING
        service = status(run)["service"]
        assert LABEL.fullmatch(service["name"])
        assert service["name"] == f"s-containerserve-{name}"
        assert service["url"].partition(":")[0].partition(".")[0] == service["name"]
        for key in (service["name"], service["url"], service["clusterIP"]):
            assert found.setdefault(key, run.id) == run.id
