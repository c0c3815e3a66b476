"""KubeSpawner without its hub: starts and stops servers, and prints how long each took.

A server is a Pod and a Service. Reads KUBECONFIG and NAMESPACE from its environment, and lines from
standard input: `start <callers> <servers>` starts servers of new people, `stop <callers>` stops all that
run. The answer to each line is one line of JSON: the seconds of each server, and those of all. Ends when
its standard input closes.
"""

import asyncio
import itertools
import json
import logging
import os
import sys
import time
from types import SimpleNamespace

from kubespawner import KubeSpawner

from session_pod import SECURITY, door, mounts, pod_security, volumes

HUB = SimpleNamespace(
    public_host="", url="http://hub:8081/hub/", base_url="/hub/", api_url="http://hub:8081/hub/api"
)


def by_name(items):
    return {item["name"] + item.get("mountPath", ""): item for item in items}


def spawner(number):
    name = f"person-{number}"
    user = SimpleNamespace(id=number, name=name, escaped_name=name, url=f"/user/{name}/")
    return KubeSpawner(
        _mock=True,
        user=user,
        hub=HUB,
        namespace=os.environ["NAMESPACE"],
        services_enabled=True,
        image="duckui:1",
        uid=1000,
        gid=1000,
        fs_gid=1000,
        pod_security_context=pod_security(),
        container_security_context=SECURITY,
        automount_service_account_token=False,
        cpu_limit=1,
        cpu_guarantee=1,
        mem_limit="4G",
        mem_guarantee="4G",
        extra_resource_limits={"ephemeral-storage": "10176Mi"},
        extra_resource_guarantees={"ephemeral-storage": "10176Mi"},
        volumes=by_name(volumes()),
        volume_mounts=by_name(mounts()),
        extra_containers=by_name([door()]),
    )


async def timed(work):
    begin = time.perf_counter()
    await work
    return time.perf_counter() - begin


async def run(callers, works):
    """Awaits the works, as many at a time as there are callers, and prints their times."""
    works, times = iter(works), []

    async def caller():
        for work in works:
            times.append(await timed(work))

    took = await timed(asyncio.gather(*(caller() for _ in range(callers))))
    print(json.dumps({"times": times, "took": took}), flush=True)


async def main():
    numbers, running = itertools.count(), []
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, callers, *count = line.split()
        if what == "start":
            new = [spawner(next(numbers)) for _ in range(int(count[0]))]
            running += new
            await run(int(callers), (each.start() for each in new))
        else:
            await run(int(callers), (each.stop() for each in running))
            running = []


# JupyterHub logs what its spawners do. At its level, that costs no more than a comparison here.
logging.basicConfig(level=logging.WARNING)
asyncio.run(main())
