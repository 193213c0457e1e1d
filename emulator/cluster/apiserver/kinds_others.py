"""The schemas of the kinds around pods and services: nodes, quotas, events, storage of text.

Rules: as in `kinds`. Source: Kubernetes API reference of 1.36.
"""

from __future__ import annotations

from emulator.cluster.apiserver.kinds import (
    AMOUNTS,
    ANY,
    FLAG,
    FLAG_POINTER,
    INT,
    INT_POINTER,
    TEXT,
    TEXT_MAP,
    TEXT_POINTER,
    TEXTS,
    kind,
    texts,
)
from emulator.cluster.apiserver.schema import List, String, Struct, Type

NAMESPACE = kind("Namespace", Struct("NamespaceSpec", {"finalizers": TEXTS}))
NODE = kind(
    "Node",
    Struct(
        "NodeSpec",
        {
            **texts("podCIDR providerID externalID"),
            "podCIDRs": TEXTS,
            "unschedulable": FLAG,
            "taints": List(
                Struct(
                    "Taint",
                    {
                        **texts("key value timeAdded"),
                        "effect": String("v1.TaintEffect"),
                    },
                )
            ),
            "configSource": ANY,
        },
    ),
)
RESOURCE_QUOTA = kind(
    "ResourceQuota",
    Struct(
        "ResourceQuotaSpec",
        {"hard": AMOUNTS, "scopes": List(String("v1.ResourceQuotaScope")), "scopeSelector": ANY},
    ),
)
LIMIT_RANGE = kind(
    "LimitRange",
    Struct(
        "LimitRangeSpec",
        {
            "limits": List(
                Struct(
                    "LimitRangeItem",
                    {
                        "type": String("v1.LimitType"),
                        **dict.fromkeys(
                            "max min default defaultRequest maxLimitRequestRatio".split(),
                            AMOUNTS,
                        ),
                    },
                )
            )
        },
    ),
    False,
)
PRIORITY_CLASS = kind(
    "PriorityClass",
    value=INT_POINTER,
    globalDefault=FLAG,
    description=TEXT,
    preemptionPolicy=String("v1.PreemptionPolicy"),
)
LEASE = kind(
    "Lease",
    Struct(
        "LeaseSpec",
        {
            **dict.fromkeys(
                "holderIdentity acquireTime renewTime strategy preferredHolder".split(),
                TEXT_POINTER,
            ),
            "leaseDurationSeconds": INT_POINTER,
            "leaseTransitions": INT_POINTER,
        },
    ),
    False,
)
SECRET = kind(
    "Secret",
    data=Struct("Data", {}, opened=True),
    stringData=TEXT_MAP,
    type=String("v1.SecretType"),
    immutable=FLAG_POINTER,
)
CONFIG_MAP = kind(
    "ConfigMap",
    data=TEXT_MAP,
    binaryData=Struct("Data", {}, opened=True),
    immutable=FLAG_POINTER,
)
_REFERENCE = Struct(
    "ObjectReference",
    {
        **texts("kind namespace name apiVersion resourceVersion fieldPath"),
        "uid": String("types.UID"),
    },
)
_SOURCE = Struct("EventSource", texts("component host"))
_SERIES = Struct("EventSeries", {"count": INT, "lastObservedTime": TEXT})
EVENT = kind(
    "Event",
    involvedObject=_REFERENCE,
    source=_SOURCE,
    count=INT,
    series=_SERIES,
    related=_REFERENCE,
    **texts(
        "reason message firstTimestamp lastTimestamp type eventTime action reportingComponent "
        "reportingInstance"
    ),
)
NEW_EVENT = kind(
    "Event",
    regarding=_REFERENCE,
    related=_REFERENCE,
    series=_SERIES,
    deprecatedSource=_SOURCE,
    deprecatedCount=INT,
    **texts(
        "eventTime reportingController reportingInstance action reason note type "
        "deprecatedFirstTimestamp deprecatedLastTimestamp"
    ),
)
_ENDPOINT = Struct(
    "Endpoint",
    {
        "addresses": TEXTS,
        "conditions": Struct(
            "EndpointConditions", dict.fromkeys(("ready", "serving", "terminating"), FLAG_POINTER)
        ),
        "hostname": TEXT_POINTER,
        "targetRef": _REFERENCE,
        "deprecatedTopology": TEXT_MAP,
        "nodeName": TEXT_POINTER,
        "zone": TEXT_POINTER,
        "hints": ANY,
    },
)
_ENDPOINT_PORTS: Type = List(
    Struct(
        "EndpointPort",
        {
            **dict.fromkeys(("name", "appProtocol"), TEXT_POINTER),
            "protocol": String("v1.Protocol", pointer=True),
            "port": INT_POINTER,
        },
    )
)
ENDPOINT_SLICE = kind(
    "EndpointSlice",
    addressType=String("v1.AddressType"),
    endpoints=List(_ENDPOINT),
    ports=_ENDPOINT_PORTS,
)
