"""Validation of Deployments, ReplicaSets, pods and their templates.

Rules: as of the package. What the simulation does not model is refused with words of the emulator's
own: further containers of a pod, init containers, a rolling update. Source: Kubernetes facts section 2;
apps `ValidateDeploymentSpec`, core `ValidatePodSpec`.
"""

from __future__ import annotations

from typing import Any

from emulator.cluster.apiserver import causes as cause
from emulator.cluster.apiserver.causes import Cause
from emulator.cluster.apiserver.selectors import matches_selector
from emulator.cluster.apiserver.validation import meta, names
from emulator.cluster.apiserver.validation.container import container

Object = dict[str, Any]

ONE_CONTAINER = "the emulator simulates one container a pod"
NO_ROLLING = "rolling updates are not simulated, use strategy Recreate"
_NAMED = frozenset(
    "serviceAccountName nodeName hostname subdomain priorityClassName activeDeadlineSeconds".split()
)
_STRATEGIES = ("Recreate", "RollingUpdate")
_RESTARTS = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_POD_CHANGES = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
    "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)"
)


def deployment(obj: Object, found: list[Cause]) -> None:
    """A new Deployment."""
    meta.metadata(obj["metadata"], names.subdomain, True, found)
    _deployment_spec(obj, found)


def _deployment_spec(obj: Object, found: list[Cause]) -> None:
    spec = obj["spec"]
    if spec["replicas"] < 0:
        meta.not_negative(spec["replicas"], "spec.replicas", found)
    _selector_and_template(obj, found)
    _strategy(spec["strategy"], found)
    ready = spec.get("minReadySeconds", 0)
    deadline, history = spec["progressDeadlineSeconds"], spec["revisionHistoryLimit"]
    meta.not_negative(ready, "spec.minReadySeconds", found)
    meta.not_negative(history, "spec.revisionHistoryLimit", found)
    if deadline <= ready:
        meta.not_negative(deadline, "spec.progressDeadlineSeconds", found)
        text = "must be greater than minReadySeconds"
        found.append(cause.invalid("spec.progressDeadlineSeconds", deadline, text))


def _selector_and_template(obj: Object, found: list[Cause]) -> None:
    spec, known = obj["spec"], obj["metadata"].get("labels")
    selector, template = spec.get("selector"), spec["template"]
    labels = template["metadata"].get("labels")
    wanted = selector and selector.get("matchLabels")
    same = wanted == labels and bool(labels)  # the usual case: one check for both
    if selector is None:
        found.append(cause.required("spec.selector"))
    elif not selector:
        text = "empty selector is invalid for deployment"
        found.append(cause.invalid("spec.selector", selector, text))
    elif not same or "matchExpressions" in selector:
        meta.selector(selector, "spec.selector", found)
    elif wanted:
        meta.labels(wanted, "spec.selector.matchLabels", found, known)
    if selector is None or (not same and not matches_selector(selector, labels or {})):
        at, text = "spec.template.metadata.labels", "`selector` does not match template `labels`"
        found.append(cause.invalid(at, labels, text))
    _template(template, "spec.template", wanted, found)
    pod = template["spec"]
    if pod["restartPolicy"] != "Always":
        at = "spec.template.spec.restartPolicy"
        found.append(cause.unsupported(at, pod["restartPolicy"], ("Always",)))
    if "activeDeadlineSeconds" in pod:
        text = "activeDeadlineSeconds in ReplicaSet is not Supported"
        found.append(cause.forbidden("spec.template.spec.activeDeadlineSeconds", text))


def _template(template: Object, at: str, known: Object | None, found: list[Cause]) -> None:
    if labels := template["metadata"].get("labels"):
        meta.labels(labels, f"{at}.labels", found, known)
    if annotations := template["metadata"].get("annotations"):
        meta.check_annotations(annotations, f"{at}.annotations", found)
    pod_spec(template["spec"], f"{at}.spec", found)


def _strategy(strategy: Object, found: list[Cause]) -> None:
    at, kind = "spec.strategy", strategy["type"]
    rolling = strategy.get("rollingUpdate")
    if kind not in _STRATEGIES:
        found.append(cause.unsupported(at, strategy, _STRATEGIES))
    elif kind == "Recreate":
        if rolling is not None:
            text = "may not be specified when strategy `type` is 'Recreate'"
            found.append(cause.forbidden(f"{at}.rollingUpdate", text))
    elif rolling != {"maxUnavailable": "25%", "maxSurge": "25%"}:
        _rolling(rolling or {}, f"{at}.rollingUpdate", found)


def _rolling(rolling: Object, at: str, found: list[Cause]) -> None:
    for field in ("maxUnavailable", "maxSurge"):
        value = rolling[field]
        if isinstance(value, str):
            found += cause.all_invalid(f"{at}.{field}", value, names.percent(value))
        else:
            meta.not_negative(value, f"{at}.{field}", found)
    unavailable = _number(rolling["maxUnavailable"])
    if unavailable == 0 and _number(rolling["maxSurge"]) == 0:
        text = "may not be 0 when `maxSurge` is 0"
        found.append(cause.invalid(f"{at}.maxUnavailable", rolling["maxUnavailable"], text))
    if isinstance(rolling["maxUnavailable"], str) and unavailable > 100:
        text = "must not be greater than 100%"
        found.append(cause.invalid(f"{at}.maxUnavailable", rolling["maxUnavailable"], text))


def _number(value: int | str) -> int:
    if isinstance(value, int):
        return value
    text = value.removesuffix("%")
    return int(text) if text.isdecimal() else 0


def deployment_update(new: Object, old: Object, found: list[Cause]) -> None:
    """A changed Deployment: its selector stays, and so does its template while it rolls."""
    meta.metadata_update(new["metadata"], old["metadata"], found)
    _deployment_spec(new, found)
    spec, before = new["spec"], old["spec"]
    meta.immutable(spec.get("selector"), before.get("selector"), "spec.selector", found)
    if spec["strategy"]["type"] == "RollingUpdate" and spec["template"] != before["template"]:
        found.append(cause.forbidden("spec.template", NO_ROLLING))


def replica_set(obj: Object, found: list[Cause]) -> None:
    """A new ReplicaSet."""
    meta.metadata(obj["metadata"], names.subdomain, True, found)
    _replica_set_spec(obj, found)


def _replica_set_spec(obj: Object, found: list[Cause]) -> None:
    spec = obj["spec"]
    meta.not_negative(spec["replicas"], "spec.replicas", found)
    meta.not_negative(spec.get("minReadySeconds", 0), "spec.minReadySeconds", found)
    _selector_and_template(obj, found)


def replica_set_update(new: Object, old: Object, found: list[Cause]) -> None:
    """A changed ReplicaSet: its selector stays."""
    meta.metadata_update(new["metadata"], old["metadata"], found)
    _replica_set_spec(new, found)
    selector = new["spec"].get("selector")
    meta.immutable(selector, old["spec"].get("selector"), "spec.selector", found)


def pod(obj: Object, found: list[Cause]) -> None:
    """A new pod."""
    meta.metadata(obj["metadata"], names.subdomain, True, found)
    _whole_pod(obj["spec"], found)


def _whole_pod(spec: Object, found: list[Cause]) -> None:
    pod_spec(spec, "spec", found)
    for index, each in enumerate(spec.get("containers", ())):
        image = each.get("image", "")
        if image != image.strip():
            text = "must not have leading or trailing whitespace"
            found.append(cause.invalid(f"spec.containers[{index}].image", image, text))


def pod_update(new: Object, old: Object, found: list[Cause]) -> None:
    """A changed pod: only images, deadline and further tolerations may differ."""
    meta.metadata_update(new["metadata"], old["metadata"], found)
    _whole_pod(new["spec"], found)
    tolerations = new["spec"].get("tolerations", [])
    for each in old["spec"].get("tolerations", ()):
        if each not in tolerations:
            text = "existing toleration can not be modified except its tolerationSeconds"
            found.append(cause.forbidden("spec.tolerations", text))
            break
    if _fixed_parts(new["spec"]) != _fixed_parts(old["spec"]):
        found.append(cause.forbidden("spec", _POD_CHANGES))


def _fixed_parts(spec: Object) -> Object:
    fixed = {
        field: value
        for field, value in spec.items()
        if field not in ("tolerations", "activeDeadlineSeconds")
    }
    fixed["containers"] = [{**each, "image": ""} for each in spec.get("containers", ())]
    return fixed


def pod_spec(spec: Object, at: str, found: list[Cause]) -> None:
    """A pod's spec, in a pod or in a template."""
    volumes: set[str] = set()
    if given := spec.get("volumes"):
        _volumes(given, f"{at}.volumes", volumes, found)
    containers = spec.get("containers", ())
    if not containers:
        found.append(cause.required(f"{at}.containers"))
    taken: set[str] = set()
    for index, each in enumerate(containers):
        container(each, f"{at}.containers[{index}]", volumes, found)
        name = each.get("name", "")
        if name in taken:
            found.append(cause.duplicate(f"{at}.containers[{index}].name", name))
        taken.add(name)
    if len(containers) > 1:
        found.append(cause.forbidden(f"{at}.containers", ONE_CONTAINER))
    if "initContainers" in spec:
        found.append(cause.forbidden(f"{at}.initContainers", ONE_CONTAINER))
    if spec["restartPolicy"] not in _RESTARTS:
        found.append(cause.unsupported(f"{at}.restartPolicy", spec["restartPolicy"], _RESTARTS))
    if spec["dnsPolicy"] not in _DNS:
        found.append(cause.unsupported(f"{at}.dnsPolicy", spec["dnsPolicy"], _DNS))
    if selector := spec.get("nodeSelector"):
        meta.labels(selector, f"{at}.nodeSelector", found)
    if not _NAMED.isdisjoint(spec):
        _names(spec, at, found)
    for index, each in enumerate(spec.get("tolerations", ())):
        _toleration(each, f"{at}.tolerations[{index}]", found)


def _volumes(volumes: list[Object], field: str, known: set[str], found: list[Cause]) -> None:
    for index, volume in enumerate(volumes):
        at, name = f"{field}[{index}].name", volume.get("name", "")
        if not name:
            found.append(cause.required(at))
        elif details := names.label(name):
            found += cause.all_invalid(at, name, details)
        elif name in known:
            found.append(cause.duplicate(at, name))
        known.add(name)


def _names(spec: Object, at: str, found: list[Cause]) -> None:
    for field, check in (
        ("serviceAccountName", names.subdomain),
        ("nodeName", names.subdomain),
        ("hostname", names.label),
        ("subdomain", names.label),
        ("priorityClassName", names.subdomain),
    ):
        if name := spec.get(field):
            found += cause.all_invalid(f"{at}.{field}", name, check(name))
    seconds = spec.get("activeDeadlineSeconds")
    if seconds is not None and not 1 <= seconds <= 2**31 - 1:
        text = f"must be between 1 and {2**31 - 1}, inclusive"
        found.append(cause.invalid(f"{at}.activeDeadlineSeconds", seconds, text))


def _toleration(given: Object, at: str, found: list[Cause]) -> None:
    key, operator = given.get("key", ""), given.get("operator", "")
    effect, value = given.get("effect", ""), given.get("value", "")
    if key:
        found += cause.all_invalid(f"{at}.key", key, names.qualified(key))
    elif operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        found.append(cause.invalid(f"{at}.operator", operator, text))
    if "tolerationSeconds" in given and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        found.append(cause.invalid(f"{at}.effect", effect, text))
    if operator in ("Equal", ""):
        if details := names.label_value(value):
            found.append(cause.invalid(f"{at}.operator", value, ";".join(details)))
    elif operator != "Exists":
        found.append(cause.unsupported(f"{at}.operator", operator, ("Equal", "Exists")))
    elif value:
        text = "value must be empty when `operator` is 'Exists'"
        found.append(cause.invalid(f"{at}.operator", value, text))
    if effect and effect not in _EFFECTS:
        found.append(cause.unsupported(f"{at}.effect", effect, _EFFECTS))
