"""The echo: any image that nobody described answers with what it was asked.

Rules: the answer tells the service, the pod and the request as JSON; a body that is UTF-8 is text,
any other is Base64 and says so in `encoding`; nothing of the request is lost but the order of headers
of different names.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs

from emulator.domain.workload import Request, Response
from emulator.workloads.base import BaseProcess, reply

_encode = json.JSONEncoder(ensure_ascii=False).encode


class EchoProcess(BaseProcess):
    """Answers every request with 200 and its description."""

    def answer(self, request: Request) -> Response:
        content = _encode(self.describe(request)).encode("utf-8", "replace")
        self.log.write(f'"{request.method} {request.target}" 200 {len(content)}\n')
        return reply(200, (("content-type", "application/json"),), content, stand_in=True)

    def describe(self, request: Request) -> dict[str, Any]:
        """`{service, pod, image, method, path, query: {name: [value]}, headers, body, encoding?}`.

        The path is as it was sent, not decoded; values of a repeated header are joined by commas.
        """
        path, _, query = request.target.partition("?")
        headers: dict[str, str] = {}
        for name, value in request.headers:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        told: dict[str, Any] = {
            "service": self.container.service,
            "pod": self.container.pod,
            "image": self.container.image,
            "method": request.method,
            "path": path,
            "query": parse_qs(query, keep_blank_values=True) if query else {},
            "headers": headers,
        }
        try:
            told["body"] = request.body.decode("utf-8")
        except UnicodeDecodeError:
            told["body"] = base64.b64encode(request.body).decode("ascii")
            told["encoding"] = "base64"
        return told
