"""Refusals of the API server: one exception that carries everything of a Kubernetes Status.

Rules: `details` is left out where the real server leaves it out (undecodable bodies, expired
versions) and is empty where it is empty there (an unknown resource). `details.kind` is the Kind for
422 and the plural resource otherwise. Source: Kubernetes facts section 2 and the recorded pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emulator.cluster.apiserver.causes import summary

_MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class Rejected(Exception):
    """The API server refuses: code, reason, message, causes and the details of its Status.

    `details` holds name, group, kind, uid and retryAfterSeconds where known, without the causes;
    None means that the Status has no details at all.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        causes: Sequence[dict[str, Any]] = (),
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = tuple(causes)
        self.details = details

    def status(self) -> dict[str, Any]:
        """The Status object, as the real server writes it."""
        shown: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None or self.causes:
            details = {key: value for key, value in (self.details or {}).items() if value}
            if self.causes:
                details["causes"] = [dict(each) for each in self.causes]
            shown["details"] = details
        shown["code"] = self.code
        return shown


def _details(group: str, kind: str, name: str) -> dict[str, Any]:
    return {"name": name, "group": group, "kind": kind}


def qualified(group: str, name: str) -> str:
    """A kind or a resource with its group, as messages name it: `deployments.apps`."""
    return f"{name}.{group}" if group else name


def invalid(group: str, kind: str, name: str, causes: Sequence[dict[str, Any]]) -> Rejected:
    """422 Invalid with its causes, of which there is at least one."""
    message = f'{qualified(group, kind)} "{name}" is invalid: {summary(causes)}'
    return Rejected(422, "Invalid", message, causes, _details(group, kind, name))


def already_exists(group: str, resource: str, name: str) -> Rejected:
    """409 AlreadyExists; `resource` is the plural."""
    message = f'{qualified(group, resource)} "{name}" already exists'
    return Rejected(409, "AlreadyExists", message, (), _details(group, resource, name))


def not_found(group: str, resource: str, name: str) -> Rejected:
    """404 NotFound of one object; `resource` is the plural."""
    message = f'{qualified(group, resource)} "{name}" not found'
    return Rejected(404, "NotFound", message, (), _details(group, resource, name))


def unknown_resource() -> Rejected:
    """404 NotFound of a path that no resource has."""
    message = "the server could not find the requested resource"
    return Rejected(404, "NotFound", message, (), {})


def conflict(group: str, resource: str, name: str, detail: str = _MODIFIED) -> Rejected:
    """409 Conflict of an update: by default, the object has changed in the meantime."""
    message = f'Operation cannot be fulfilled on {qualified(group, resource)} "{name}": {detail}'
    return Rejected(409, "Conflict", message, (), _details(group, resource, name))


def apply_conflict(message: str, causes: Sequence[dict[str, Any]]) -> Rejected:
    """409 Conflict of a server-side apply."""
    return Rejected(409, "Conflict", message, causes, {})


def bad_request(message: str) -> Rejected:
    """400 BadRequest: what was sent cannot be read."""
    return Rejected(400, "BadRequest", message)


def forbidden(group: str, resource: str, name: str, detail: str) -> Rejected:
    """403 Forbidden, as admission answers it; `name` may be empty."""
    subject = qualified(group, resource)
    message = (
        f'{subject} "{name}" is forbidden: {detail}'
        if name
        else f"{subject} is forbidden: {detail}"
    )
    return Rejected(403, "Forbidden", message, (), _details(group, resource, name))


def over_quota(
    group: str, resource: str, name: str, quota: str, amounts: Sequence[tuple[str, str, str, str]]
) -> Rejected:
    """403 Forbidden of a ResourceQuota.

    `amounts` are (resource, requested, used, limited) of those that are exceeded.
    """
    requested = ",".join(f"{each}={amount}" for each, amount, _, _ in amounts)
    used = ",".join(f"{each}={amount}" for each, _, amount, _ in amounts)
    limited = ",".join(f"{each}={amount}" for each, _, _, amount in amounts)
    detail = f"exceeded quota: {quota}, requested: {requested}, used: {used}, limited: {limited}"
    return forbidden(group, resource, name, detail)


def expired(asked: int, oldest: int) -> Rejected:
    """410 Expired: the resourceVersion that was asked for is no longer kept."""
    return Rejected(410, "Expired", f"too old resource version: {asked} ({oldest})")


def too_large_version(asked: int, present: int) -> Rejected:
    """504 Timeout: the resourceVersion that was asked for has not come yet."""
    text = "Too large resource version"
    cause = {"reason": "ResourceVersionTooLarge", "message": text}
    message = f"Timeout: {text}: {asked}, current: {present}"
    return Rejected(504, "Timeout", message, (cause,), {"retryAfterSeconds": 1})


def terminating(group: str, resource: str, name: str, namespace: str) -> Rejected:
    """403 Forbidden of anything new in a namespace that is on its way out."""
    text = f"unable to create new content in namespace {namespace} because it is being terminated"
    refused = forbidden(group, resource, name, text)
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    return Rejected(403, "Forbidden", refused.message, (cause,), refused.details)


def gone(message: str) -> Rejected:
    """410 Gone."""
    return Rejected(410, "Gone", message)


def method_not_allowed() -> Rejected:
    """405: the resource is there, the verb is not."""
    message = "the server does not allow this method on the requested resource"
    return Rejected(405, "MethodNotAllowed", message, (), {})


def unsupported_media_type(accepted: Sequence[str]) -> Rejected:
    """415: none of the content types that this request takes."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
    return Rejected(415, "UnsupportedMediaType", message)


def too_many_requests(message: str, retry_after: int) -> Rejected:
    """429 TooManyRequests; `retry_after` in seconds."""
    return Rejected(429, "TooManyRequests", message, (), {"retryAfterSeconds": retry_after})


def internal(message: str) -> Rejected:
    """500 InternalError; its one cause is the bare message."""
    text = f"Internal error occurred: {message}"
    return Rejected(500, "InternalError", text, ({"message": message},), {})
