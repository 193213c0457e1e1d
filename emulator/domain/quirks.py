"""Where the platform's code falls short of its promise: the names, and the profiles.

Rules: a difference between the promise and the code of digitalhub-core 0.15.1 is a row of the table
(`quirk_table`) and is asked for by name (`profile.has(Quirk.X)`); no other module decides it. A profile
is a set of quirks: `documented` has none, `core-0.15` has every one; a setting may turn a single one on
or off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Quirk(StrEnum):
    """The names of the rows."""

    SERVICE_URL_NAMESPACE = "service-url-namespace"
    DEFAULT_SERVICE_TYPE = "default-service-type"
    CONTAINER_REPLICAS_IGNORED = "container-replicas-ignored"
    PULL_POLICY_DROPPED = "pull-policy-dropped"
    MODELSERVE_TYPE_MASKED = "modelserve-type-masked"
    RESTARTS_ARE_FATAL = "restarts-are-fatal"
    RUNNING_IS_STICKY = "running-is-sticky"
    READY_ANY_POD = "ready-any-pod"
    PENDING_WITHOUT_END = "pending-without-end"
    NO_PROBES = "no-probes"
    STOP_PENDING_IGNORED = "stop-pending-ignored"
    SECOND_STOP_JUMPS = "second-stop-jumps"
    ILLEGAL_ACTION_SWALLOWED = "illegal-action-swallowed"
    INTERNAL_EVENTS_PUBLIC = "internal-events-public"
    RESUME_UNREACHABLE = "resume-unreachable"
    PROTOCOL_URLS_LATE = "protocol-urls-late"
    HUGGINGFACE_NO_V2 = "huggingface-no-v2"
    SERVICE_STALE = "service-stale"
    K8S_DOUBLY_NESTED = "k8s-doubly-nested"
    K8S_RAW_ERRORS = "k8s-raw-errors"
    PUT_OVERWRITES_STATUS = "put-overwrites-status"
    WATCH_EVENT_DROPPED = "watch-event-dropped"
    ALIAS_TAKEOVER_EARLY = "alias-takeover-early"
    ALIAS_TOO_LONG = "alias-too-long"
    SERVICEGRAPH_DUPLICATE_PORT = "servicegraph-duplicate-port"
    SECOND_DELETE_ORPHANS = "second-delete-orphans"
    PROXY_4XX_BODY_LOST = "proxy-4xx-body-lost"
    PROXY_5XX_OPAQUE = "proxy-5xx-opaque"
    PROXY_UNREACHABLE_500 = "proxy-unreachable-500"
    PROXY_NO_CONTENT_TYPE = "proxy-no-content-type"
    PROXY_TYPES = "proxy-types"
    PROXY_CHARSET = "proxy-charset"
    PROXY_METHOD = "proxy-method"
    PROXY_HOST_PREFIX = "proxy-host-prefix"
    PROXY_REDIRECTS = "proxy-redirects"
    PROXY_NO_LIMITS = "proxy-no-limits"
    PROXY_URI_TEMPLATE = "proxy-uri-template"
    PROXY_ACCEPT_FORCED = "proxy-accept-forced"
    PROXY_COOKIES = "proxy-cookies"
    PROXY_ERROR_JSON = "proxy-error-json"
    ADMIN_PROXY_OPEN = "admin-proxy-open"
    GATEWAY_NOT_WHITELISTED = "gateway-not-whitelisted"
    PROJECT_LIST_UNFILTERED = "project-list-unfiltered"
    LOG_SHAPE = "log-shape"
    PYTHON_LIST_IS_A_BATCH = "python-list-is-a-batch"
    PYTHON_EXCEPTION_SWALLOWED = "python-exception-swallowed"
    PYTHON_GLOBALS_OF_INIT_LOST = "python-globals-of-init-lost"
    PYTHON_JSON_CHARSET = "python-json-charset"
    PYTHON_READY_BEFORE_INIT = "python-ready-before-init"


@dataclass(frozen=True, slots=True)
class Profile:
    """A named choice among the quirks."""

    name: str
    quirks: frozenset[Quirk]

    def has(self, quirk: Quirk) -> bool:
        """Whether this profile shows the platform's defect."""
        return quirk in self.quirks

    def with_settings(self, on: Iterable[str] = (), off: Iterable[str] = ()) -> Profile:
        """The same profile with single quirks turned on or off. Raises ValueError by name."""
        unknown = [name for name in (*on, *off) if name not in set(Quirk)]
        if unknown:
            raise ValueError(f"unknown quirk {unknown[0]!r}: see the table of quirks for the names")
        chosen = (self.quirks | {Quirk(name) for name in on}) - {Quirk(name) for name in off}
        return Profile(self.name, frozenset(chosen))


DOCUMENTED = Profile("documented", frozenset())
CORE_0_15 = Profile("core-0.15", frozenset(Quirk))
PROFILES = {profile.name: profile for profile in (DOCUMENTED, CORE_0_15)}
