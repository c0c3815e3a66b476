"""Service that preceded duckbot: sessions over HTTP, with FastAPI and Kubernetes' Python client.

`POST /sessions` makes a Pod, a Service and an IngressRoute, one after another. `DELETE /sessions/{id}`
deletes them. It stores nothing, watches nothing, and checks no token.

Reads KUBECONFIG and NAMESPACE from its environment, and logs its URL to standard error.
"""

import os
import secrets
import socket
import sys

import uvicorn
from fastapi import FastAPI
from kubernetes import client, config
from pydantic import BaseModel

from session_pod import containers, pod_security, volumes

NAMESPACE = os.environ["NAMESPACE"]
DOMAIN = "duck.example.com"
ROUTE = {"group": "traefik.io", "version": "v1alpha1", "plural": "ingressroutes"}
# FastAPI runs this many requests at a time. With fewer connections, the others would open new ones.
THREADS = 40

config.load_kube_config()
settings = client.Configuration.get_default_copy()
settings.connection_pool_maxsize = THREADS
api = client.ApiClient(settings)
core, custom = client.CoreV1Api(api), client.CustomObjectsApi(api)
app = FastAPI()


class Session(BaseModel):
    username: str
    s3_key: str
    s3_secret: str
    catalog: str


def metadata(name, username):
    labels = {"app.kubernetes.io/name": "duckui", "duckbot.dev/owner": username, "session": name}
    return {"name": name, "labels": labels}


@app.post("/sessions", status_code=201)
def create(session: Session):
    number = secrets.token_hex(3)
    name = f"duckui-{number}"
    environment = {
        "SESSION_ID": number,
        "USERNAME": session.username,
        "CATALOG_NAME": session.catalog,
        "S3_ACCESS_KEY_ID": session.s3_key,
        "S3_SECRET_ACCESS_KEY": session.s3_secret,
    }
    core.create_namespaced_pod(
        NAMESPACE,
        {
            "metadata": metadata(name, session.username),
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 5,
                "securityContext": pod_security(),
                "containers": containers(environment),
                "volumes": volumes(),
            },
        },
    )
    core.create_namespaced_service(
        NAMESPACE,
        {
            "metadata": metadata(name, session.username),
            "spec": {
                "selector": {"session": name},
                "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
            },
        },
    )
    host = f"{name}.{DOMAIN}"
    custom.create_namespaced_custom_object(
        namespace=NAMESPACE,
        **ROUTE,
        body={
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "IngressRoute",
            "metadata": metadata(name, session.username),
            "spec": {
                "entryPoints": ["websecure"],
                "routes": [
                    {
                        "kind": "Rule",
                        "match": f"Host(`{host}`)",
                        "services": [{"kind": "Service", "name": name, "port": 80}],
                    }
                ],
                "tls": {},
            },
        },
    )
    return {"session_id": number, "url": f"https://{host}/"}


@app.delete("/sessions/{number}", status_code=204)
def delete(number: str):
    name = f"duckui-{number}"
    custom.delete_namespaced_custom_object(namespace=NAMESPACE, name=name, **ROUTE)
    core.delete_namespaced_service(name, NAMESPACE)
    core.delete_namespaced_pod(name, NAMESPACE)


if __name__ == "__main__":
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    print(f"the API is at http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
