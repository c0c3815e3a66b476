"""Pod of a session, with the two containers and the restrictions that duckbot's has."""

SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def resources(cpu, memory, disk):
    each = {"cpu": cpu, "memory": memory, "ephemeral-storage": disk}
    return {"requests": each, "limits": each}


def door():
    return {
        "name": "door",
        "image": "duckbot:1",
        "args": ["door"],
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "admin", "containerPort": 8081}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8081}, "periodSeconds": 10},
        "resources": resources("100m", "64Mi", "64Mi"),
        "securityContext": SECURITY,
        "volumeMounts": [exchange()],
    }


def containers(environment):
    duckdb = {
        "name": "duckdb",
        "image": "duckui:1",
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": resources("1", "4Gi", "10176Mi"),
        "securityContext": SECURITY,
        "volumeMounts": mounts(),
    }
    return [duckdb, door()]


def exchange():
    return {"name": "work", "mountPath": "/home/duck/exchange", "subPath": "exchange"}


def mounts():
    work, tmp = {"name": "work", "mountPath": "/home/duck"}, {"name": "tmp", "mountPath": "/tmp"}
    return [work, tmp, exchange()]


def volumes():
    return [{"name": name, "emptyDir": {"sizeLimit": "10Gi"}} for name in ["work", "tmp"]]


def pod_security():
    return {
        "fsGroup": 1000,
        "runAsGroup": 1000,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
