"""Strategic merge patches: a merge that knows the lists of the schema.

Rules: a list with a merge key is merged element by element, any other one is replaced. `$patch:
delete` removes an element or a whole map, `$patch: replace` puts the patch in place of what is there;
`$retainKeys` keeps those keys alone, `$deleteFromPrimitiveList/<field>` takes values out of a list, and
`$setElementOrder` is passed over. Null removes. Source: apimachinery's `util/strategicpatch`.
"""

from __future__ import annotations

import copy
from typing import Any

from emulator.cluster.apiserver.schema import List, Map, Struct, Type

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"


class BadPatch(Exception):
    """The patch contradicts the rules; the message is Kubernetes'."""


def merge(kind: Type | None, target: Any, patch: dict[str, Any]) -> Any:
    """The target with the patch merged in, by the schema. Neither is changed. Raises BadPatch."""
    directive = patch.get(_DIRECTIVE)
    if directive == "delete":
        return {}
    if directive == "replace":
        return _clean({key: value for key, value in patch.items() if key != _DIRECTIVE})
    if directive not in (None, "merge"):
        raise BadPatch(f"Unknown patch type found: {directive}")
    merged = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        merged = {key: value for key, value in merged.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key.startswith("$"):
            if key.startswith("$deleteFromPrimitiveList/"):
                field = key.partition("/")[2]
                merged[field] = [each for each in merged.get(field, ()) if each not in value]
            continue
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge(_child(kind, key), merged.get(key), value)
        elif isinstance(value, list):
            merged[key] = _merge_list(_child(kind, key), merged.get(key, []), value)
        else:
            merged[key] = value
    return merged


def _child(kind: Type | None, key: str) -> Type | None:
    if isinstance(kind, Struct):
        return kind.fields.get(key)
    return kind.value if isinstance(kind, Map) else None


def _merge_list(kind: Type | None, target: list[Any], patch: list[Any]) -> list[Any]:
    directives = [each for each in patch if isinstance(each, dict) and set(each) == {_DIRECTIVE}]
    if any(each[_DIRECTIVE] == "replace" for each in directives):
        return [_clean(each) for each in patch if each not in directives]
    if not isinstance(kind, List) or not kind.merge:
        return [_clean(each) for each in patch]
    key, merged = kind.merge, list(target)
    for each in patch:
        if not isinstance(each, dict) or key not in each:
            shown = each if isinstance(each, dict) else {}
            raise BadPatch(f"map: map{list(shown)} does not contain declared merge key: {key}")
        places = [index for index, have in enumerate(merged) if have.get(key) == each[key]]
        if each.get(_DIRECTIVE) == "delete":
            merged = [have for index, have in enumerate(merged) if index not in places]
        elif places:
            merged[places[0]] = merge(kind.item, merged[places[0]], each)
        else:
            merged.append(merge(kind.item, {}, each))
    return merged


def _clean(value: Any) -> Any:
    """A copy without nulls and directives."""
    if isinstance(value, dict):
        return {
            key: _clean(item)
            for key, item in value.items()
            if item is not None and not key.startswith("$")
        }
    return [_clean(item) for item in value] if isinstance(value, list) else copy.copy(value)
