"""The table of quirks: cause, what core does, what is promised.

Rules: every name of `Quirk` has one row. A row with `in_force=False` belongs to a part that is not built
yet and changes nothing. The published table is generated from this one (`emulator/domain/docs.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.domain.quirks import Quirk


@dataclass(frozen=True, slots=True)
class Row:
    """One quirk: its cause (contract section or file) and what each profile does."""

    quirk: Quirk
    cause: str
    core: str
    documented: str
    in_force: bool = True


def _later(quirk: Quirk, cause: str, core: str, documented: str) -> Row:
    return Row(quirk, cause, core, documented, in_force=False)


TABLE: tuple[Row, ...] = (
    Row(
        Quirk.SERVICE_URL_NAMESPACE,
        "core 4.5",
        "the url is `name.namespace:port`, the block carries `namespace` and always `aliases`",
        "`name:port`, as on the page; both names resolve",
    ),
    Row(
        Quirk.DEFAULT_SERVICE_TYPE,
        "core 2.4",
        "NodePort for container, python, openinference, guardrail, servicegraph",
        "ClusterIP",
    ),
    Row(
        Quirk.CONTAINER_REPLICAS_IGNORED,
        "core 9.10",
        "a container service always has one replica",
        "`replicas` is honoured",
    ),
    Row(
        Quirk.PULL_POLICY_DROPPED,
        "core 9.11",
        "`image_pull_policy` of a container function is dropped",
        "honoured",
    ),
    _later(
        Quirk.MODELSERVE_TYPE_MASKED,
        "core 9.12",
        "the task's `service_type` is masked by ClusterIP",
        "the task's type holds",
    ),
    Row(
        Quirk.RESTARTS_ARE_FATAL,
        "core 9.7",
        "a container restarted twice: ERROR `Multiple pod restarts`, all objects deleted",
        "the run stays PENDING or RUNNING and health says why; ERROR only when the Deployment passes "
        "its progress deadline without ever having been ready",
    ),
    Row(
        Quirk.RUNNING_IS_STICKY,
        "core 9.6",
        "RUNNING although every pod is unready, with no message",
        "the same state, but health and message tell the truth",
    ),
    Row(
        Quirk.READY_ANY_POD,
        "core 9.8",
        "RUNNING when some pod is Running and some pod is Ready, not necessarily the same one",
        "one pod that is both",
    ),
    Row(
        Quirk.PENDING_WITHOUT_END,
        "core 9.5",
        "PENDING for ever on pull failure, full nodes or quota; no message",
        "PENDING with the contextual message; ERROR at the progress deadline (600 s, a setting)",
    ),
    Row(
        Quirk.NO_PROBES,
        "core 9.9",
        "no probe: a pod is Ready when its container has started",
        "a TCP probe of the first target port: every second until the first success, then every 10 s",
    ),
    Row(
        Quirk.STOP_PENDING_IGNORED,
        "core 9.2",
        "stop in READY or PENDING: 200, nothing happens",
        "stop works in READY and PENDING as in RUNNING",
    ),
    Row(
        Quirk.SECOND_STOP_JUMPS,
        "core 3.2 (STOP, event STOP)",
        "a second stop makes the run STOPPED although its objects are still being removed",
        "idempotent: STOPPED when the objects are gone",
    ),
    Row(
        Quirk.ILLEGAL_ACTION_SWALLOWED,
        "core 9.3",
        "an action that the state does not allow, or an unknown one: 200, the run unchanged",
        "400 naming state and action; an unknown action 404",
    ),
    Row(
        Quirk.INTERNAL_EVENTS_PUBLIC,
        "core 9.4",
        "`error`, `complete`, `execute`, `loop`, `schedule` can be posted by anyone",
        "refused, 400",
    ),
    Row(
        Quirk.RESUME_UNREACHABLE,
        "core 9.1",
        "resume: 200, nothing happens",
        "refused, 400, saying that a stopped service is started again by a new run",
    ),
    _later(
        Quirk.PROTOCOL_URLS_LATE,
        "core 9.16, 5",
        "protocol objects one refresh after `status.service`, extra `service.urls` lost",
        "both with the first RUNNING",
    ),
    _later(
        Quirk.HUGGINGFACE_NO_V2,
        "core 9.24",
        "no `inference_v2`",
        "registered as for the other model servers",
    ),
    Row(
        Quirk.SERVICE_STALE,
        "core 9.17, 3.7",
        "`status.service` and the rest stay after STOP and ERROR",
        "removed when the service is gone; `status.transitions` keeps the story",
    ),
    Row(
        Quirk.K8S_DOUBLY_NESTED,
        "core 9.18",
        "`status.k8s.deployment.deployment` until the first refresh",
        "never nested",
    ),
    Row(
        Quirk.K8S_RAW_ERRORS,
        "core 3.4",
        "a refusal of the cluster becomes `k8s: <reason> <Status as JSON> `",
        "one sentence: what was refused, in the cluster's words, and what mends it",
    ),
    Row(
        Quirk.PUT_OVERWRITES_STATUS,
        "core 9.19",
        "a PUT can rewrite the status of a run, or drive its state",
        "the status of a non-local run is not writable",
    ),
    Row(
        Quirk.WATCH_EVENT_DROPPED,
        "core 9.30",
        "a watch event within a second of the last refresh is lost: seen at the next poll",
        "seen when the second is over",
    ),
    Row(
        Quirk.ALIAS_TAKEOVER_EARLY,
        "core 4.1, 9.22",
        "an alias points at the newest run from its deployment on, ready or not, and is gone with it",
        "an alias belongs to the newest run that is RUNNING, and goes back when that one ends",
    ),
    Row(
        Quirk.ALIAS_TOO_LONG,
        "core 9.21",
        "an alias over 62 characters makes the run ERROR",
        "shortened with a digest, as Kubernetes tools do",
    ),
    _later(
        Quirk.SERVICEGRAPH_DUPLICATE_PORT,
        "core 9.23",
        "a user port 8080 is rejected by the API",
        "not added twice",
    ),
    Row(
        Quirk.SECOND_DELETE_ORPHANS,
        "core 9.28",
        "a second DELETE removes the row at once",
        "idempotent; the row goes when the objects are gone",
    ),
    _later(
        Quirk.PROXY_4XX_BODY_LOST,
        "core 6.4",
        "200, empty body, no headers",
        "200, `X-Proxy-Status`, body and headers kept",
    ),
    _later(
        Quirk.PROXY_5XX_OPAQUE,
        "core 6.4",
        "500 of the gateway's own",
        "200, `X-Proxy-Status: 5xx`, body kept",
    ),
    _later(
        Quirk.PROXY_UNREACHABLE_500,
        "core 6.4",
        "500, default error body",
        "502, 503 or 504 with the reason",
    ),
    _later(
        Quirk.PROXY_NO_CONTENT_TYPE,
        "core 6.4",
        "204 and typeless answers become 400",
        "passed through as `text/plain`",
    ),
    _later(
        Quirk.PROXY_TYPES,
        "core 6.4",
        "only JSON and `text/*`",
        "every text-based type; binary refused with 415 and the type named",
    ),
    _later(
        Quirk.PROXY_CHARSET,
        "core 6.4",
        "`text/*` without charset read as Latin-1",
        "read as UTF-8, bytes kept where they are not",
    ),
    _later(
        Quirk.PROXY_METHOD,
        "core 6.3",
        "PATCH and unknown methods 500; bodies of GET dropped",
        "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS; others 400",
    ),
    _later(
        Quirk.PROXY_HOST_PREFIX,
        "core 6.2",
        "the host starts with the service's host; any port; aliases refused",
        "host and port are exactly one of the service's own",
    ),
    _later(
        Quirk.PROXY_REDIRECTS,
        "core 6.3",
        "GET follows redirects to anywhere",
        "redirects are answered, not followed",
    ),
    _later(
        Quirk.PROXY_NO_LIMITS,
        "core 6.3",
        "no size limit, no timeout",
        "limits and timeouts, explained in the refusal",
    ),
    _later(
        Quirk.PROXY_URI_TEMPLATE,
        "core 6.3",
        "`{x}` fails, `%20` is encoded twice, slashes collapse",
        "the URL is sent as given",
    ),
    _later(
        Quirk.PROXY_ACCEPT_FORCED,
        "core 6.3",
        "`Accept` is overwritten",
        "the caller's `Accept` goes through",
    ),
    _later(
        Quirk.PROXY_COOKIES,
        "core 6.3",
        "the caller's cookies are forwarded",
        "not forwarded",
    ),
    _later(
        Quirk.PROXY_ERROR_JSON,
        "the official console",
        "JSON errors, which crash the official console",
        "JSON for API clients, text/plain for pages",
    ),
    _later(
        Quirk.ADMIN_PROXY_OPEN,
        "core 6.5",
        "in no-auth mode anyone may proxy to any URL",
        "off; on by a setting, for administrators",
    ),
    _later(
        Quirk.GATEWAY_NOT_WHITELISTED,
        "core 7",
        "exposure fails silently by default",
        "works, is removed with the service, a failure is in the message",
    ),
    _later(
        Quirk.PROJECT_LIST_UNFILTERED,
        "core 8",
        "every user sees every project",
        "only one's own and shared ones",
    ),
    Row(
        Quirk.LOG_SHAPE,
        "sdk 3.5",
        "a log has neither `name` nor `spec.run`, which SDK 0.15.11 needs",
        "the superset",
    ),
    _later(
        Quirk.PYTHON_LIST_IS_A_BATCH,
        "python",
        "a returned list is a batch: the caller gets its first element",
        "the same, with a warning in the run's log",
    ),
    _later(
        Quirk.PYTHON_EXCEPTION_SWALLOWED,
        "python",
        "200 `None` on newer cores, 500 with the traceback on 0.15.x",
        "500, text/plain, the traceback in the log",
    ),
    _later(
        Quirk.PYTHON_GLOBALS_OF_INIT_LOST,
        "python",
        "the user's file is loaded twice: globals set by init are lost",
        "the same, with a warning in the log",
    ),
    _later(
        Quirk.PYTHON_JSON_CHARSET,
        "python",
        "JSON is parsed only for exactly `application/json`",
        "the same; the log says once per run what the handler got",
    ),
    _later(
        Quirk.PYTHON_READY_BEFORE_INIT,
        "python",
        "RUNNING while requirements install or init still runs",
        "ready when the worker answers",
    ),
)
