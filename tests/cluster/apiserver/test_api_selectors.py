"""Label and field selectors: what they mean, and how a bad one is refused.

Source: apimachinery's `labels/selector.go`, `fields/selector.go`.
"""

from __future__ import annotations

import pytest

from emulator.cluster.apiserver import selectors
from emulator.cluster.apiserver.status import Rejected

LABELS = {"app": "web", "tier": "front", "n": "5", "empty": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        (" app = web , tier = front ", True),
        ("app!=web", False),
        ("other!=web", True),
        ("app in (web,api)", True),
        ("app in (api)", False),
        ("app notin (web)", False),
        ("other notin (web)", True),
        ("other in (web)", False),
        ("app", True),
        ("other", False),
        ("!app", False),
        ("!other", True),
        ("empty=", True),
        ("empty in ()", True),
        ("empty in (,a)", True),
        ("n>4", True),
        ("n<5", False),
        ("app>4", False),
        ("app=web,!tier", False),
        ("in=in", False),
        ("app in (in, web)", True),
    ],
)
def test_a_label_selector_matches(text: str, expected: bool) -> None:
    assert selectors.matches_labels(selectors.parse_labels(text), LABELS) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
    ],
)
def test_a_bad_label_selector_is_refused_in_the_parsers_words(text: str, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        selectors.parse_labels(text)
    assert (caught.value.code, caught.value.message) == (400, message)


def test_a_bad_key_or_value_is_refused() -> None:
    with pytest.raises(Rejected, match='Invalid value: "-a": name part must consist of'):
        selectors.parse_labels("-a=b")
    with pytest.raises(Rejected, match=r'values\[0\]\[a\]: Invalid value: "-b": a valid label'):
        selectors.parse_labels("a=-b")


POD = {
    "metadata": {"name": "p", "namespace": "ns"},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("metadata.name=p", True),
        ("metadata.name==p,metadata.namespace=ns", True),
        ("spec.nodeName=n1,status.phase!=Running", False),
        ("status.phase!=Failed", True),
        ("spec.schedulerName=", True),
    ],
)
def test_a_field_selector_matches(text: str, expected: bool) -> None:
    assert selectors.matches_fields(selectors.parse_fields(text, "Pod"), POD) is expected


def test_events_are_selected_by_what_they_are_about() -> None:
    event = {"involvedObject": {"kind": "Pod", "name": "p"}, "type": "Warning", "reason": "BackOff"}
    text = "involvedObject.kind=Pod,involvedObject.name=p,type=Warning,reason=BackOff"
    assert selectors.matches_fields(selectors.parse_fields(text, "Event"), event)


def test_false_is_the_same_as_absent_for_a_flag() -> None:
    chosen = selectors.parse_fields("spec.unschedulable=false", "Node")
    assert selectors.matches_fields(chosen, {"spec": {}})
    assert not selectors.matches_fields(chosen, {"spec": {"unschedulable": True}})


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            "foo.bar=x",
            "Deployment",
            '"foo.bar" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("foo.bar=x", "Pod", "field label not supported: foo.bar"),
        ("foo", "Pod", "invalid selector: 'foo'; can't understand 'foo'"),
    ],
)
def test_a_bad_field_selector_is_refused(text: str, kind: str, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        selectors.parse_fields(text, kind)
    assert (caught.value.code, caught.value.message) == (400, message)


def test_a_workloads_selector_matches_by_labels_and_expressions() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["front"]},
            {"key": "gone", "operator": "DoesNotExist"},
        ],
    }
    assert selectors.matches_selector(selector, LABELS)
    assert not selectors.matches_selector(selector, {**LABELS, "gone": "x"})
    assert not selectors.matches_selector(selector, {"app": "web"})
    assert selectors.matches_selector({}, {})
