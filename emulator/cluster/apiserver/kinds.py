"""The schemas of pods, workloads and services, field by field.

Rules: every field of the real type is named, since a field without a name is dropped; what the
simulation does not look into is kept as it is. Merge keys and atomic parts are those of Kubernetes'
own types. Source: Kubernetes API reference of 1.36, core/v1 and apps/v1.
"""

from __future__ import annotations

from emulator.cluster.apiserver.schema import (
    Boolean,
    Integer,
    IntOrString,
    List,
    Map,
    Opaque,
    Quantity,
    String,
    Struct,
    Type,
)

ANY = Opaque("interface {}")
TEXT = String()
TEXT_POINTER = String(pointer=True)
INT = Integer()
INT_POINTER = Integer(pointer=True)
LONG = Integer(64)
LONG_POINTER = Integer(64, pointer=True)
FLAG = Boolean()
FLAG_POINTER = Boolean(pointer=True)
INT_OR_TEXT = IntOrString("intstr.IntOrString")
TEXTS = List(TEXT)
TEXT_MAP = Map(TEXT)
AMOUNTS = Map(Quantity("resource.Quantity"), go="v1.ResourceList")


def texts(names: str) -> dict[str, Type]:
    """Fields that are strings."""
    return dict.fromkeys(names.split(), TEXT)


def opaque(names: str) -> dict[str, Type]:
    """Fields that are kept as they are."""
    return dict.fromkeys(names.split(), ANY)


def flags(names: str) -> dict[str, Type]:
    """Fields that are bools and are left out when False."""
    return dict.fromkeys(names.split(), FLAG)


def named(names: str) -> dict[str, Type]:
    """Fields that are strings with a Go type of their own: `field:Type`."""
    return {field: String(f"v1.{go}") for field, go in (each.split(":") for each in names.split())}


METADATA = Struct(
    "ObjectMeta",
    {
        **texts("name generateName namespace selfLink resourceVersion"),
        "uid": String("types.UID"),
        "generation": LONG,
        "creationTimestamp": TEXT,
        "deletionTimestamp": TEXT,
        "deletionGracePeriodSeconds": LONG_POINTER,
        "labels": TEXT_MAP,
        "annotations": TEXT_MAP,
        "ownerReferences": List(
            Struct(
                "OwnerReference",
                {
                    **texts("apiVersion kind name"),
                    "uid": String("types.UID"),
                    "controller": FLAG_POINTER,
                    "blockOwnerDeletion": FLAG_POINTER,
                },
                atomic=True,
            ),
            "uid",
        ),
        "finalizers": TEXTS,
        "managedFields": ANY,
    },
)

SELECTOR = Struct(
    "LabelSelector",
    {
        "matchLabels": TEXT_MAP,
        "matchExpressions": List(
            Struct(
                "LabelSelectorRequirement",
                {"key": TEXT, "operator": String("v1.LabelSelectorOperator"), "values": TEXTS},
            )
        ),
    },
    atomic=True,
)

_HTTP_GET = Struct(
    "HTTPGetAction",
    {
        **texts("path host"),
        "port": INT_OR_TEXT,
        "scheme": String("v1.URIScheme"),
        "httpHeaders": List(Struct("HTTPHeader", texts("name value"))),
    },
)
_HANDLERS: dict[str, Type] = {
    "exec": Struct("ExecAction", {"command": TEXTS}),
    "httpGet": _HTTP_GET,
    "tcpSocket": Struct("TCPSocketAction", {"port": INT_OR_TEXT, "host": TEXT}),
}
_PROBE = Struct(
    "Probe",
    {
        **_HANDLERS,
        "grpc": Struct("GRPCAction", {"port": INT, "service": TEXT_POINTER}),
        "initialDelaySeconds": INT,
        "timeoutSeconds": INT,
        "periodSeconds": INT,
        "successThreshold": INT,
        "failureThreshold": INT,
        "terminationGracePeriodSeconds": LONG_POINTER,
    },
)
_HOOK = Struct(
    "LifecycleHandler", {**_HANDLERS, "sleep": Struct("SleepAction", {"seconds": LONG_POINTER})}
)
_CONTAINER = Struct(
    "Container",
    {
        **texts("name image workingDir terminationMessagePath"),
        **named("terminationMessagePolicy:TerminationMessagePolicy imagePullPolicy:PullPolicy"),
        **dict.fromkeys(("command", "args"), TEXTS),
        "ports": List(
            Struct(
                "ContainerPort",
                {
                    **texts("name hostIP"),
                    "hostPort": INT,
                    "containerPort": INT,
                    "protocol": String("v1.Protocol"),
                },
            ),
            "containerPort",
            ("containerPort", "protocol"),
        ),
        "envFrom": List(
            Struct("EnvFromSource", {"prefix": TEXT, **opaque("configMapRef secretRef")})
        ),
        "env": List(Struct("EnvVar", {**texts("name value"), "valueFrom": ANY}), "name"),
        "resources": Struct(
            "ResourceRequirements", {"limits": AMOUNTS, "requests": AMOUNTS, "claims": ANY}
        ),
        "volumeMounts": List(
            Struct(
                "VolumeMount",
                {
                    **texts("name mountPath subPath subPathExpr"),
                    "readOnly": FLAG,
                    **opaque("recursiveReadOnly mountPropagation"),
                },
            ),
            "mountPath",
        ),
        **dict.fromkeys(("livenessProbe", "readinessProbe", "startupProbe"), _PROBE),
        "lifecycle": Struct(
            "Lifecycle", {"postStart": _HOOK, "preStop": _HOOK, "stopSignal": TEXT}
        ),
        "securityContext": ANY,
        **flags("stdin stdinOnce tty"),
        **opaque("resizePolicy restartPolicy restartPolicyRules volumeDevices"),
    },
)
_VOLUME = Struct(
    "Volume",
    {
        "name": TEXT,
        **opaque(
            "hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi "
            "glusterfs persistentVolumeClaim rbd flexVolume cinder cephfs flocker downwardAPI fc "
            "azureFile configMap vsphereVolume quobyte azureDisk photonPersistentDisk projected "
            "portworxVolume scaleIO storageos csi ephemeral image"
        ),
    },
)
_TOLERATION = Struct(
    "Toleration",
    {
        **texts("key value"),
        **named("operator:TolerationOperator effect:TaintEffect"),
        "tolerationSeconds": LONG_POINTER,
    },
)
POD_SPEC = Struct(
    "PodSpec",
    {
        "volumes": List(_VOLUME, "name"),
        "initContainers": List(_CONTAINER, "name"),
        "containers": List(_CONTAINER, "name"),
        "ephemeralContainers": ANY,
        **named("restartPolicy:RestartPolicy dnsPolicy:DNSPolicy"),
        "terminationGracePeriodSeconds": LONG_POINTER,
        "activeDeadlineSeconds": LONG_POINTER,
        "nodeSelector": Map(TEXT, atomic=True),
        **texts(
            "serviceAccountName serviceAccount nodeName hostname subdomain schedulerName "
            "priorityClassName"
        ),
        "automountServiceAccountToken": FLAG_POINTER,
        **flags("hostNetwork hostPID hostIPC"),
        "shareProcessNamespace": FLAG_POINTER,
        "securityContext": ANY,
        "imagePullSecrets": List(Struct("LocalObjectReference", texts("name")), "name"),
        "affinity": ANY,
        "tolerations": List(_TOLERATION),
        "hostAliases": ANY,
        "priority": INT_POINTER,
        "preemptionPolicy": String("v1.PreemptionPolicy"),
        "enableServiceLinks": FLAG_POINTER,
        "overhead": AMOUNTS,
        **opaque(
            "dnsConfig readinessGates runtimeClassName topologySpreadConstraints setHostnameAsFQDN "
            "os hostUsers schedulingGates resourceClaims resources hostnameOverride workloadRef"
        ),
    },
)
TEMPLATE = Struct("PodTemplateSpec", {"metadata": METADATA, "spec": POD_SPEC})


def kind(name: str, spec: Type | None = None, stateful: bool = True, /, **fields: Type) -> Struct:
    """The schema of a whole object: type and metadata, and what is given.

    Of a status only the conditions are looked into, since patches merge them by type.
    """
    parts: dict[str, Type] = {"apiVersion": TEXT, "kind": TEXT, "metadata": METADATA}
    if spec is not None and not stateful:
        parts["spec"] = spec
    elif spec is not None:
        condition = Struct(f"{name}Condition", texts("type"), opened=True)
        status = Struct(f"{name}Status", {"conditions": List(condition, "type")}, opened=True)
        parts |= {"spec": spec, "status": status}
    return Struct(name, parts | fields)


POD = kind("Pod", POD_SPEC)
DEPLOYMENT = kind(
    "Deployment",
    Struct(
        "DeploymentSpec",
        {
            "replicas": INT_POINTER,
            "selector": SELECTOR,
            "template": TEMPLATE,
            "strategy": Struct(
                "DeploymentStrategy",
                {
                    "type": String("v1.DeploymentStrategyType"),
                    "rollingUpdate": Struct(
                        "RollingUpdateDeployment",
                        {"maxUnavailable": INT_OR_TEXT, "maxSurge": INT_OR_TEXT},
                    ),
                },
            ),
            "minReadySeconds": INT,
            "revisionHistoryLimit": INT_POINTER,
            "paused": FLAG,
            "progressDeadlineSeconds": INT_POINTER,
        },
    ),
)
REPLICA_SET = kind(
    "ReplicaSet",
    Struct(
        "ReplicaSetSpec",
        {
            "replicas": INT_POINTER,
            "minReadySeconds": INT,
            "selector": SELECTOR,
            "template": TEMPLATE,
        },
    ),
)
_SERVICE_PORT = Struct(
    "ServicePort",
    {
        "name": TEXT,
        "protocol": String("v1.Protocol"),
        "appProtocol": TEXT_POINTER,
        "port": INT,
        "targetPort": INT_OR_TEXT,
        "nodePort": INT,
    },
)
SERVICE = kind(
    "Service",
    Struct(
        "ServiceSpec",
        {
            "ports": List(_SERVICE_PORT, "port", ("port", "protocol")),
            "selector": Map(TEXT, atomic=True),
            **texts("clusterIP loadBalancerIP externalName"),
            **named(
                "type:ServiceType sessionAffinity:ServiceAffinity "
                "externalTrafficPolicy:ServiceExternalTrafficPolicy ipFamilyPolicy:IPFamilyPolicy "
                "internalTrafficPolicy:ServiceInternalTrafficPolicy"
            ),
            **dict.fromkeys(("clusterIPs", "externalIPs", "loadBalancerSourceRanges"), TEXTS),
            "ipFamilies": List(String("v1.IPFamily")),
            "healthCheckNodePort": INT,
            "publishNotReadyAddresses": FLAG,
            "sessionAffinityConfig": Struct(
                "SessionAffinityConfig",
                {"clientIP": Struct("ClientIPConfig", {"timeoutSeconds": INT_POINTER})},
            ),
            "allocateLoadBalancerNodePorts": FLAG_POINTER,
            "loadBalancerClass": TEXT_POINTER,
            "trafficDistribution": TEXT_POINTER,
        },
    ),
)
