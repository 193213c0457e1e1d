"""Errors that a caller sees, and nothing else.

Rules: every refusal of the control plane is a `Refused` with the HTTP status and the sentence that
the wire carries; the wire body is made in one place (`body`). The texts of the platform's own errors
are the platform's (contract section 1.3).
"""

from __future__ import annotations


class Refused(Exception):
    """A request that the control plane answers with an error body.

    `status` is an HTTP status code, `message` the sentence on the wire.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def body(self) -> dict[str, object]:
        """The platform's error body (contract section 1.3)."""
        return {"status": self.status, "message": self.message, "errorCode": None}


def bad_request(message: str) -> Refused:
    """400: the request names something that cannot be."""
    return Refused(400, message)


def not_found(entity: str) -> Refused:
    """404 in the platform's words: `No such run.`"""
    return Refused(404, f"No such {entity}.")


def duplicated(entity: str, identifier: str) -> Refused:
    """400 in the platform's words; the SDK keys on `Duplicated entity`."""
    return Refused(400, f"Duplicated entity {entity}:{identifier}.")


class BuildError(Exception):
    """The run cannot be built or deployed: the run ends in ERROR with this sentence."""
