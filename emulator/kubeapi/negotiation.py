"""In which form a client wants its answer: plain objects, a Table, or metadata alone.

Rules: the first form of the Accept header that there is counts, whatever its weight; JSON is the only
encoding. Source: Kubernetes' API concepts, "Receiving resources as Tables".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emulator.kubeapi.answers import not_acceptable

_TYPES = ("application/json", "application/*", "*/*")
_VERSIONS = ("v1", "v1beta1")
_PARTIAL = ("PartialObjectMetadata", "PartialObjectMetadataList")

Form = Literal["object", "table", "metadata"]


@dataclass(frozen=True, slots=True)
class View:
    """The form of an answer; `version` is that of meta.k8s.io."""

    form: Form = "object"
    version: str = "v1"


def choose(accept: str) -> View:
    """The form for an Accept header. Raises Rejected (406)."""
    if not accept.strip():
        return View()
    for entry in accept.split(","):
        media, *rest = (part.strip() for part in entry.split(";"))
        if media.lower() not in _TYPES:
            continue
        given = dict(part.partition("=")[::2] for part in rest)
        found = _view(given)
        if found is not None:
            return found
    raise not_acceptable()


def _view(given: dict[str, str]) -> View | None:
    shape, version = given.get("as", ""), given.get("v", "v1")
    if not shape:
        return View()
    if given.get("g") != "meta.k8s.io" or version not in _VERSIONS:
        return None
    if shape == "Table":
        return View("table", version)
    return View("metadata", version) if shape in _PARTIAL else None
