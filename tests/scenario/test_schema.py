"""The rules of a scenario's shape (E1xx) and meaning (E2xx).

In each wrong file `§` stands right before the place that the problem must name.
"""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.cluster import traffic
from emulator.cluster.distributions import Constant, Exponential, Uniform
from emulator.cluster.settings import (
    ClientRate,
    ClusterSettings,
    Network,
    NodePool,
    PriorityClassSpec,
    QuotaSpec,
)
from emulator.domain.lifecycle import State
from emulator.domain.quirks import PROFILES
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.scenario.loader import parse
from emulator.scenario.rules import MAX_PROBLEMS, RULES, Problem, ScenarioError
from emulator.scenario.schema import Assert, Declare, Deploy, Invoke, Load, Stop

HEAD = "scenario: 1\nname: x\n"
HELLO = HEAD + "functions:\n  - {name: hello, kind: container, spec: {image: a}}\n"
STEPS = HELLO + "steps:\n  - deploy: hello\n    as: web\n    id: abc\n"
LOAD = STEPS + "  - load: web\n    for: 1s\n"
LOAD_OF_5 = LOAD + "    arrivals: {rate: 5}\n"

CASES: list[tuple[str, str]] = [
    ("E101", "§scenario: 1\n"),
    ("E101", HEAD + "functions:\n  - §{name: hello}\n"),
    ("E102", HEAD + "§titel: hello\n"),
    ("E102", HEAD + "cluster: {§node: []}\n"),
    ("E102", STEPS + "  - stop: web\n    §method: GET\n"),
    ("E102", LOAD_OF_5 + "    §retry: 1\n"),
    ("E102", LOAD_OF_5 + "    expect: {§p95: '< 1s'}\n"),
    ("E102", STEPS + "  - invoke: web\n    when: {run: web, §stat: RUNNING}\n"),
    ("E102", HEAD + "behaviours:\n  - image: a\n    echo: true\n    §lisens: [80]\n"),
    ("E103", "scenario: 1\nname: §5\n"),
    ("E103", HEAD + "seed: §'7'\n"),
    ("E103", HEAD + "seed: §1.0\n"),
    ("E103", HEAD + "seed: §true\n"),
    ("E103", HEAD + "cluster: §[]\n"),
    ("E103", HEAD + "functions: §{}\n"),
    ("E103", HEAD + "steps: [§deploy]\n"),
    ("E103", STEPS + "  - stop: web\n    at: §~\n"),
    ("E103", HEAD + "registry: {images: [{image: a, size: §~}]}\n"),
    ("E103", HEAD + "cluster: {controller_rate: §~}\n"),
    ("E103", HEAD + "cluster: {controller_rate: §fast}\n"),
    ("E103", LOAD + "    arrivals: {rate: §fast}\n"),
    ("E103", LOAD_OF_5 + "    retries: §true\n"),
    ("E104", HEAD + "profile: §core-0.14\n"),
    ("E104", STEPS + "  - invoke: web\n    method: §get\n"),
    ("E104", HEAD + "cluster: {nodes: [{name: a, taints: [{key: a, effect: §Never}]}]}\n"),
    ("E104", LOAD_OF_5 + "    keep: §all\n"),
    ("E104", STEPS + "  - assert: {run: web, state: §RUNING}\n"),
    ("E104", STEPS + "  - assert: {run: web, health: §well}\n"),
    ("E105", HEAD + "seed: §-1\n"),
    ("E105", HEAD + "seed: §" + "9" * 400 + "\n"),
    ("E105", HEAD + "seed: §1e999\n"),
    ("E105", HEAD + "cluster: {nodes: §[]}\n"),
    ("E105", HEAD + "cluster: {nodes: [{name: a, pods: §0}]}\n"),
    ("E105", STEPS + "  - invoke: web\n    expect: {status: §600}\n"),
    ("E105", LOAD + "    arrivals: {rate: §0}\n"),
    ("E105", LOAD_OF_5 + "    concurrency: §0\n"),
    ("E105", HEAD + "registry: {rate: {qps: §0, burst: 1}}\n"),
    ("E106", "scenario: 1\nname: §First Service\n"),
    ("E106", HEAD + "cluster: {namespace: §-a}\n"),
    ("E106", HEAD + "project: §Demo\n"),
    ("E106", HEAD + "cluster: {nodes: [{name: a, labels: {§a b: c}}]}\n"),
    ("E106", HEAD + "cluster: {nodes: [{name: a, zone: §'a b'}]}\n"),
    ("E106", LOAD_OF_5 + "    expect: {outcomes: {§slow: 0}}\n"),
    ("E106", LOAD_OF_5 + "    retries: {count: 1, on: [§slow]}\n"),
    ("E106", HEAD + "functions:\n  - {name: §a/b, kind: container}\n"),
    ("E106", STEPS + "  - invoke: web\n    path: §index.html\n"),
    ("E106", STEPS + "  - invoke: web\n    headers: §{'a b': c}\n"),
    ("E106", STEPS + '  - invoke: web\n    headers: §{a: "b\\nc: d"}\n'),
    ("E107", HEAD + "until: §15\n"),
    ("E107", HEAD + "until: §0s\n"),
    ("E107", HEAD + "until: §15 minutes\n"),
    ("E107", HEAD + "until: §9999999999h\n"),
    ("E107", HEAD + "cluster: {progress_deadline: §soon}\n"),
    ("E108", HEAD + "cluster: {nodes: [{name: a, memory: §32GB}]}\n"),
    ("E108", HEAD + "cluster: {nodes: [{name: a, cpu: §0}]}\n"),
    ("E108", HEAD + "registry: {bandwidth: §'1e99999999999999999999'}\n"),
    ("E108", HEAD + "registry: {bandwidth: §[50Mi]}\n"),
    ("E108", HEAD + "profiles:\n  1xgpu: {gpu: §one}\n"),
    ("E109", HEAD + "cluster: {start: §{normal: [1s, 3s]}}\n"),
    ("E109", HEAD + "registry: {latency: §{uniform: [3s, 1s]}}\n"),
    ("E109", HEAD + "registry: {latency: §200}\n"),
    ("E109", LOAD + "    arrivals: {every: §{poisson: 5}}\n"),
    ("E109", LOAD_OF_5 + "    service_time: §20\n"),
    ("E110", HEAD + "cluster: {service_range: §172.16.0.0}\n"),
    ("E110", HEAD + "cluster: {service_range: §172.16.0.1/12}\n"),
    ("E110", HEAD + "cluster: {service_range: §10.0.0.0/8}\n"),
    ("E110", HEAD + "cluster: {service_range: §10.0.0.0/30}\n"),
    ("E110", HEAD + "cluster: {service_range: §'fd00::/108'}\n"),
    ("E111", HELLO + "steps:\n  - §at: 0s\n"),
    ("E111", HELLO + "steps:\n  - §deplyo: hello\n"),
    ("E111", STEPS + "  - stop: web\n    §delete: web\n"),
    ("E112", STEPS + "  - stop: web\n    at: 5s\n    §after: 5s\n"),
    ("E113", STEPS + "  - assert: §{run: web}\n"),
    ("E113", STEPS + "  - stop: web\n    when:\n      §run: web\n"),
    ("E114", "scenario: §2\nname: x\n"),
    ("E115", HEAD + "registry: {images: [{image: §'broken/[ab'}]}\n"),
    ("E116", HEAD + "behaviours:\n  - image: a\n    upstream: §nowhere\n"),
    ("E117", LOAD + "    arrivals: §{rate: 5, users: 2}\n"),
    ("E117", LOAD + "    arrivals: §{}\n"),
    ("E117", LOAD + "    arrivals: §{rate: 5, think: 1s}\n"),
    ("E117", LOAD + "    arrivals: §{every: 0s}\n"),
    ("E118", LOAD_OF_5 + "    expect: {answered: §most}\n"),
    ("E118", LOAD_OF_5 + "    expect: {answered: §'>= 101%'}\n"),
    ("E118", LOAD_OF_5 + "    expect: {failed: §-1}\n"),
    ("E118", LOAD_OF_5 + "    expect: {p99: §'< 200'}\n"),
    ("E118", LOAD_OF_5 + "    expect: {p99.9: §5}\n"),
    ("E118", LOAD_OF_5 + "    expect: {outcomes: {timeout: §~}}\n"),
    ("E201", HELLO + "steps:\n  - deploy: §helo\n"),
    ("E202", STEPS + "  - stop: §wbe\n"),
    ("E202", STEPS + "  - {load: §wbe, for: 1s, arrivals: {rate: 5}}\n"),
    ("E202", STEPS + "  - assert: {run: §hello, state: RUNNING}\n"),
    ("E202", STEPS + "  - stop: web\n    when: {run: §other, state: RUNNING}\n"),
    ("E203", HELLO + "  - {name: §hello, kind: container}\n"),
    ("E204", HELLO + "steps:\n  - deploy: hello\n  - deploy: §hello\n"),
    ("E204", STEPS + "  - {deploy: hello, as: §web}\n"),
    ("E205", STEPS + "  - {deploy: hello, id: §abc}\n"),
    ("E206", HEAD + "cluster:\n  nodes:\n    - name: a\n    - name: §a\n"),
    ("E206", HEAD + "cluster:\n  quotas: [{name: a, hard: {}}, {name: §a, hard: {}}]\n"),
    (
        "E207",
        HELLO + "steps:\n  - {load: §hello, for: 1s, arrivals: {rate: 5}}\n  - deploy: hello\n",
    ),
    ("E207", HELLO + "steps:\n  - stop: §hello\n  - deploy: hello\n"),
    ("E208", HELLO + "steps:\n  - {deploy: hello, when: {run: §hello, state: RUNNING}}\n"),
    ("E209", STEPS + "    at: 5s\n  - {stop: web, after: 1s}\n  - {delete: web, at: §5s}\n"),
    ("E210", STEPS + "  - {stop: web, at: §2h}\n"),
    ("E210", "until: 10s\n" + STEPS + "  - {stop: web, after: §11s}\n"),
    ("E217", LOAD_OF_5 + "  - {load: §web, for: 1s, arrivals: {rate: 5}}\n"),
    ("E217", LOAD_OF_5 + "  - {load: web, as: §web, for: 1s, arrivals: {rate: 5}}\n"),
    ("E218", STEPS + "  - §load: web\n    arrivals: {rate: 5}\n"),
    ("E211", HEAD + "functions:\n  - {name: a, kind: §containr}\n"),
    ("E212", HEAD + "functions:\n  - {name: a, kind: container, spec: {image: §[a]}}\n"),
    ("E212", STEPS + "    spec: {replicas: §many}\n"),
    ("E212", STEPS + "    spec: {service_type: §Ingress}\n"),
    ("E212", STEPS + "    spec: {volumes: [§{volume_type: a, name: b}]}\n"),
    ("E213", HEAD + "functions:\n  - {name: a, kind: container, spec: {§imge: a}}\n"),
    ("E213", STEPS + "    spec: {§arg: []}\n"),
    ("E213", STEPS + "    spec: {§task: a}\n"),
    ("E213", STEPS + "    spec: {service_ports: [{port: 1, target_port: 1, §name: a}]}\n"),
    ("E213", STEPS + "    spec: {resources: {§memory: 1Gi}}\n"),
    ("E213", STEPS + "  - function: {name: a, kind: container, spec: {§imge: a}}\n"),
    ("E214", STEPS + "    spec: {service_ports: [{port: §0, target_port: 1}]}\n"),
    ("E214", STEPS + "    spec: {service_ports: [{port: 1, target_port: §'65536'}]}\n"),
    ("E214", STEPS + "    spec: {service_ports: [§{port: 1}]}\n"),
    ("E215", STEPS + "    spec: {profile: §1xgpu}\n"),
    ("E216", STEPS + "    spec: {resources: {mem: §4GB}}\n"),
    ("E219", HEAD + "faults: [{fault: §crash-lop}]\n"),
    ("E219", STEPS + "  - fault: §node\n"),
    ("E220", HEAD + "faults: [{fault: crash-loop, attributes: {§cod: 1}}]\n"),
    ("E220", HEAD + "faults: [{fault: crash-loop, attributes: {code: §0}}]\n"),
    ("E220", HEAD + "faults: [{fault: oom, attributes: {probability: §1.5}}]\n"),
    ("E220", HEAD + "faults: [{fault: slow-start, attributes: {delay: §5}}]\n"),
    ("E220", HEAD + "faults: [{fault: §quota, attributes: {}}]\n"),
    ("E221", HEAD + "faults: [{fault: node-down, target: §node/node-9}]\n"),
    ("E221", HEAD + "faults: [{fault: zone-loss, target: §zone/a}]\n"),
    ("E221", HEAD + "faults: [{fault: api-latency, target: §node/node-1}]\n"),
    ("E221", HEAD + "faults: [{fault: oom, target: §everything}]\n"),
    ("E221", STEPS + "  - {fault: oom, target: §run/wbe}\n"),
    ("E221", STEPS + "  - {fault: oom, target: §function/hallo}\n"),
    ("E222", HEAD + "faults: [{fault: oom, as: a}, {fault: hang, as: §a}]\n"),
    ("E223", STEPS + "  - heal: §oom\n  - {fault: oom, target: run/web}\n"),
    ("E223", STEPS + "  - {fault: oom, as: a}\n  - heal: §oom\n"),
    ("E106", HEAD + "faults: [{fault: oom, as: §A b}]\n"),
    ("E106", HEAD + "faults: [{fault: oom, as: §all}]\n"),
    ("E107", STEPS + "  - {fault: oom, for: §0s}\n"),
]


def broken(source: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        parse(source, "file.yaml")
    return caught.value


@pytest.mark.parametrize(("rule", "marked"), CASES)
def test_a_wrong_file_is_told_with_its_rule_and_place(rule: str, marked: str) -> None:
    before, mark, after = marked.partition("§")
    assert mark
    lines = before.split("\n")
    error = broken(before + after)
    found = [(one.rule, one.line, one.column) for one in error.problems]
    assert (rule, len(lines), len(lines[-1]) + 1) in found
    assert {one.rule for one in error.problems} == {rule}
    assert all(one.message and one.mend for one in error.problems)


def test_every_rule_of_shape_and_meaning_has_a_case() -> None:
    assert {rule for rule, _ in CASES} == {rule for rule in RULES if rule >= "E1"}


def test_the_text_of_an_error_names_file_place_rule_value_and_mend() -> None:
    error = broken(HELLO + "steps:\n  - deploy: helo\n    spec:\n      args: []\n  - stop: wbe\n")
    assert str(error).split("\n") == [
        "file.yaml:6:13: E201 steps[0].deploy: the function 'helo' is not known here"
        " (did you mean hello? declare it under functions)",
        "file.yaml:9:11: E202 steps[1].stop: the run 'wbe' is not known"
        " (name a run that a step deploys)",
    ]


@pytest.mark.parametrize(
    ("source", "message", "mend"),
    [
        (HEAD + "sed: 7\n", "the key 'sed' is not known", "did you mean seed? the keys here are"),
        (HEAD + "until: 1 h\n", "'1 h' is not a duration", "write a number with a unit"),
        (HEAD + "title: 5\n", "5 is not a text", "put it in quotes"),
        (HEAD + "profile: documentd\n", "'documentd' is none of", "did you mean documented?"),
        (
            HEAD + "cluster: {service_range: 10.9.0.0/12}\n",
            "'10.9.0.0/12' has bits set behind its mask",
            "write 10.0.0.0/12",
        ),
        (
            HEAD + "registry: {latency: {uniform: [1s, x]}}\n",
            "uniform[1]: 'x' is not a duration",
            "write a number with a unit",
        ),
        (
            HEAD + "behaviours: [{image: a, static: {status: 42}}]\n",
            "42 is no final HTTP status",
            "choose one from 200 to 599",
        ),
        (HELLO + "steps: [{deplyo: hello}]\n", "the step has no action", "did you mean deploy?"),
        (STEPS + "  - stop: wbe\n", "the run 'wbe' is not known", "did you mean web?"),
        (HEAD + '"a\\nb": 1\n', "the key 'a\\nb' is not known", "the keys here are"),
    ],
)
def test_a_problem_shows_the_value_and_how_to_mend_it(source: str, message: str, mend: str) -> None:
    error = broken(source)
    assert error.problems[0].message.startswith(message)
    assert error.problems[0].mend.startswith(mend)
    assert "\n" not in str(error)


def test_all_problems_of_the_shape_are_told_together_in_the_order_of_the_file() -> None:
    error = broken("scenario: 1\nsed: 1\nuntil: 5\nsteps:\n  - {deploy: a, at: b}\n  - {stop: 5}\n")
    assert [(one.line, one.rule) for one in error.problems] == [
        (1, "E101"),
        (2, "E102"),
        (3, "E107"),
        (5, "E107"),
        (6, "E103"),
    ]


def test_an_endless_list_of_problems_is_cut() -> None:
    keys = "".join(f"k{number}: 1\n" for number in range(MAX_PROBLEMS + 20))
    assert len(broken(HEAD + keys).problems) == MAX_PROBLEMS
    stops = "".join("  - stop: other\n" for _ in range(MAX_PROBLEMS + 20))
    assert len(broken(STEPS + stops).problems) == MAX_PROBLEMS


def test_an_error_survives_the_way_to_another_process() -> None:
    error = broken(HEAD + "sed: 7\n")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)


def test_an_alias_is_told_at_its_anchor() -> None:
    steps = "  - {deploy: hello, spec: &s {arg: 1}}\n  - {deploy: hello, as: b, spec: *s}\n"
    error = broken(HELLO + "steps:\n" + steps)
    assert [(one.path, one.line, one.column) for one in error.problems] == [
        ("steps[0].spec.arg", 6, 31),
        ("steps[1].spec.arg", 6, 31),
    ]


def test_everything_left_out_has_its_default() -> None:
    scenario = parse(HEAD)
    assert (scenario.seed, scenario.until, scenario.project) == (0, HOUR, "demo")
    assert scenario.profile == "documented"
    assert scenario.steps == ()
    assert str(scenario.cluster.service_range) == "172.16.0.0/12"
    assert scenario.cluster.progress_deadline == 600 * SECOND
    assert scenario.cluster.start.mean == 300 * MILLISECOND


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_of_the_platform_can_be_chosen(profile: str) -> None:
    assert parse(HEAD + f"profile: {profile}\n").profile == profile


FULL = r"""
scenario: 1
name: full
title: Everything that a file can say
seed: 7
profile: core-0.15
until: 15m
cluster:
  namespace: digitalhub
  service_range: 172.16.0.0/12
  nodes:
    - {name: node, count: 3, cpu: "8", memory: 32Gi, gpu: 2, pods: 110}
    - name: small
      cpu: 500m
      disk: 10Gi
      zone: b
      labels: {example.com/disk: ssd}
      taints: [{key: gpu, value: "yes", effect: NoSchedule}]
      images: [acme/base]
  pod_range: 10.240.0.0/12
  balancer_range: 198.18.0.0/15
  network: {delay: 1ms, between_zones: 2ms}
  stop: 50ms
  balancer: 1s
  api_latency: 5ms
  reaction: 15ms
  controller_rate: off
  scheduler_rate: {qps: 10, burst: 20}
  quotas: [{name: few, hard: {pods: 5, requests.cpu: "4"}, namespace: other}]
  limit_ranges: [{name: usual, default: {cpu: "1"}, default_request: {cpu: 100m}, max: {cpu: 2}}]
  priority_classes: [{name: high, value: 1000, preempts: false}]
  start: {uniform: [100ms, 300ms]}
  progress_deadline: 600s
profiles:
  1xgpu: {gpu: "1", cpu: 2, mem: 4Gi}
registry:
  latency: 200ms
  bandwidth: 50Mi
  shared: 1Gi
  rate: {qps: 1, burst: 2}
  size: 0
  images:
    - {image: "broken/*", error: "manifest unknown"}
    - {image: "big/[ab]*", size: 20Gi}
behaviours:
  - {image: "acme/*", static: {json: {a: [1]}}, startup: 2s, exit: {after: 5s}}
project: other
functions:
  - {name: hello, kind: container, spec: {image: "hashicorp/http-echo:1.0"}}
steps:
  - deploy: hello
    at: 0s
    as: web
    id: 9271ab33c0364d549c89f8b2834ae141
    spec:
      args: ["-text=hello"]
      profile: 1xgpu
      resources: {cpu: 500m}
      envs: [{name: A, value: b}]
      service_ports: [{port: 5678, target_port: 5678}]
  - invoke: web
    when: {run: web, state: RUNNING, timeout: 5m}
    method: POST
    path: /a?b=c
    headers: {X-A: "b"}
    body: text
    expect: {status: 200, body: "hello\n"}
  - function: {name: hello, kind: container, spec: {image: other}}
  - {deploy: hello, after: 1s}
  - {assert: {run: hello, health: starting, message: pull}}
  - {stop: web, after: 5s}
  - {delete: web, when: {run: web, state: STOPPED}}
  - {deploy: hello, as: third, when: {run: third, state: RUNNING, timeout: 1s}}
  - load: third
    as: crowd
    background: true
    arrivals: {users: 5, think: {exponential: 1s}}
    service_time: 20ms
    concurrency: 4
    queue_limit: 10
    gateway: 1ms
    network: {uniform: [1ms, 2ms]}
    timeout: 1s
    cancel: true
    retries: {count: 2, backoff: 10ms, on: [timeout, "503"]}
    zone: a
    for: 1m
    count: 100
    keep: each
    rows: true
    expect: {sent: "> 5", answered: ">= 99.5%", failed: 0, outcomes: {reset: "< 2"}, p99.9: "< 1s"}
"""


def test_a_full_file_becomes_what_it_says() -> None:
    scenario = parse(FULL)
    deploy, invoke, declare, *_ = scenario.steps
    assert isinstance(deploy, Deploy)
    assert isinstance(invoke, Invoke)
    assert isinstance(declare, Declare)
    assert (deploy.name, deploy.deploy, deploy.at) == ("web", "hello", 0)
    assert invoke.when is not None
    assert (invoke.when.state, invoke.when.timeout) == (State.RUNNING, 5 * MINUTE)
    assert invoke.expect is not None
    assert (invoke.expect.status, invoke.expect.body) == (200, "hello\n")
    assert declare.function.spec == {"image": "other"}
    assert [type(step) for step in scenario.steps[4:6]] == [Assert, Stop]
    assert scenario.profiles["1xgpu"].cpu == "2"
    assert scenario.behaviours[0].rule().plan.startup == 2 * SECOND
    settings = scenario.cluster_settings(epoch=5)
    assert settings.start == Uniform(100 * MILLISECOND, 300 * MILLISECOND)
    assert [(pool.name, pool.cpu, pool.memory) for pool in settings.pools] == [
        ("node", 8000, 32 * 2**30),
        ("small", 500, NodePool().memory),
    ]
    assert settings.registry.size == 0
    assert settings.registry.find("broken/x").error == "manifest unknown"
    assert settings.registry.find("big/a").size == 20 * 2**30
    assert settings.epoch == 5
    small = settings.pools[1]
    assert (small.disk, small.zone, small.labels) == (10 * 2**30, "b", {"example.com/disk": "ssd"})
    assert (small.taints, small.images) == ((("gpu", "yes", "NoSchedule"),), ("acme/base",))
    assert settings.network == Network(MILLISECOND, 2 * MILLISECOND)
    assert (settings.controller_rate, settings.scheduler_rate) == (None, ClientRate(10, 20))
    assert (settings.registry.rate, settings.registry.shared) == (ClientRate(1, 2), 2**30)
    assert (settings.reaction, settings.stop) == (15 * MILLISECOND, Constant(50 * MILLISECOND))
    assert settings.quotas == (QuotaSpec("few", {"pods": "5", "requests.cpu": "4"}, "other"),)
    (limits,) = settings.limit_ranges
    assert (limits.default_request, limits.maximum) == ({"cpu": "100m"}, {"cpu": "2"})
    assert settings.priority_classes == (PriorityClassSpec("high", 1000, preempts=False),)


def test_a_load_becomes_what_it_says() -> None:
    step = parse(FULL).steps[-1]
    assert isinstance(step, Load)
    assert step.build("s-third", 7 * SECOND) == traffic.Load(
        name="crowd",
        service="s-third",
        arrivals=traffic.Closed(5, Exponential(SECOND)),
        service_time=Constant(20 * MILLISECOND),
        concurrency=4,
        queue_limit=10,
        gateway=Constant(MILLISECOND),
        network=Uniform(MILLISECOND, 2 * MILLISECOND),
        timeout=SECOND,
        cancel=True,
        retry=traffic.Retry(2, frozenset({"timeout", "503"}), Constant(10 * MILLISECOND)),
        end=67 * SECOND,
        count=100,
        part="a",
        keep="each",
        rows=True,
    )


def test_what_a_cluster_leaves_out_is_as_the_settings_have_it() -> None:
    assert parse(HEAD).cluster_settings() == ClusterSettings()


def full() -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(FULL)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all nodes."""
    if isinstance(value, dict):
        inner = list(value.items())
    else:
        inner = list(enumerate(value)) if isinstance(value, list) else []
    return [path, *(deep for key, item in inner for deep in places(item, (*path, key)))]


BASE = full()
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["0s", "5", "1e99999", "web", "hello", "RUNNING", "10.0.0.0/0", "[", "1h"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["run", "deploy", "at", "port", "image", "uniform"]) | st.text(), inner
        )
    ),
    max_leaves=6,
)


def problems_of(source: str) -> tuple[Problem, ...] | None:
    """None where the text is a scenario."""
    try:
        parse(source)
    except ScenarioError as error:
        return error.problems
    return None


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(places(BASE)[1:]), st.none() | st.tuples(JUNK))
@example(("steps", 0, "spec", "service_ports", 0, "port"), ("9" * 5000,))
@example(("registry", "bandwidth"), ("1e-99999999999999999999",))
@example(("until",), ("9" * 5000 + "s",))
@example(("behaviours", 0, "startup"), ("0." + "9" * 5000 + "s",))
@example(("cluster", "start"), ({"uniform": [[], {}]},))
def test_a_mutation_loads_or_is_a_scenario_error(
    path: tuple[Any, ...], replacement: tuple[Any] | None
) -> None:
    """Deleting a node (None) or replacing it never ends in another exception."""
    document = copy.deepcopy(BASE)
    parent = document
    for part in path[:-1]:
        parent = parent[part]
    if replacement is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = replacement[0]
    source = json.dumps(document, ensure_ascii=True, indent=1)  # JSON is YAML
    lines = source.split("\n")
    found = problems_of(source)
    assert found is None or len(found) > 0
    for one in found or ():
        assert one.rule in RULES
        assert one.column <= len(lines[one.line - 1]) + 1
        assert "\n" not in str(one)
