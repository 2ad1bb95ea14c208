"""Dask on Kubernetes: a DaskCluster resource that the Dask operator turns into pods; the cluster's host holds it.

Tested against recorded answers of the Kubernetes API, not on a cluster: what the operator then does with the
resource is dask-kubernetes's to promise.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_slipway.clusters import sizes
from jupyter_slipway.clusters.backends.hosted import HostedDask
from jupyter_slipway.clusters.hosts import Launch
from jupyter_slipway.clusters.model import Workers
from jupyter_slipway.errors import Unavailable, Unprocessable

IMAGE = "ghcr.io/dask/dask:latest"
NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LONGEST_NAME = 40
"""Characters; the operator makes pods' names of it, of at most 63."""


class DaskKubernetes(HostedDask):
    name = "dask-kubernetes"
    on_this_machine = False

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "workers": sizes.WORKERS,
                "cores": sizes.CORES,
                "memory": sizes.MEMORY,
                "image": {
                    "type": "string",
                    "title": "Container image",
                    "description": "With the same packages as the notebooks.",
                    "minLength": 1,
                    "default": IMAGE,
                },
                "namespace": {"type": "string", "title": "Namespace", "default": "default"},
                "service_account": {"type": "string", "title": "Service account", "default": ""},
                "node_selector": {
                    "type": "object",
                    "title": "Node labels",
                    "additionalProperties": {"type": "string"},
                    "default": {},
                },
                "gpus": {"type": "integer", "title": "GPUs of a worker", "minimum": 0, "default": 0},
            },
            "required": ["workers", "cores", "memory"],
            "additionalProperties": False,
        }

    def launch(self, name: str, options: Mapping[str, Any], directory: Path) -> Launch:
        if importlib.util.find_spec("dask_kubernetes") is None:
            raise Unavailable(
                "dask-kubernetes is not installed.",
                hint="pip install 'jupyter-slipway[kubernetes]' where Jupyter runs.",
            )
        workers = Workers(options["workers"]["minimum"], options["workers"]["maximum"])
        return Launch(
            name,
            module="dask_kubernetes.operator",
            cls="KubeCluster",
            kwargs={
                "custom_cluster_spec": resource(name, options),
                "namespace": options.get("namespace", "default"),
                # The pods of a host that died go with it, not a day later.
                "shutdown_on_close": True,
                "quiet": True,
            },
            workers=workers,
            wait_for=0,
            # The operator's pods speak without TLS; the namespace's network policy is what keeps others out.
            tls=False,
        )


def resource(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The DaskCluster of kubernetes.dask.org/v1.

    Raises:
        Unprocessable: Kubernetes takes no such name
    """
    if len(name) > LONGEST_NAME or NAME.fullmatch(name) is None:
        raise Unprocessable(
            f"Kubernetes takes no cluster named {name!r}.",
            hint=f"Lower-case letters, digits and hyphens, at most {LONGEST_NAME} of them: 'etl-dask'.",
        )
    image = options.get("image", IMAGE)
    worker = _container("worker", image, ["dask", "worker", "--name", "$(DASK_WORKER_NAME)"])
    worker["args"] += ["--nthreads", str(options["cores"]), "--memory-limit", str(sizes.parse(options["memory"]))]
    size = {"cpu": str(options["cores"]), "memory": str(sizes.parse(options["memory"]))}
    if options.get("gpus"):
        size["nvidia.com/gpu"] = str(options["gpus"])
    worker["resources"] = {"requests": size, "limits": size}
    scheduler = _container("scheduler", image, ["dask", "scheduler", "--host", "0.0.0.0"])
    scheduler["ports"] = [
        {"name": "tcp-comm", "containerPort": 8786, "protocol": "TCP"},
        {"name": "http-dashboard", "containerPort": 8787, "protocol": "TCP"},
    ]
    healthy = {"httpGet": {"port": "http-dashboard", "path": "/health"}, "initialDelaySeconds": 5, "periodSeconds": 10}
    scheduler["readinessProbe"] = scheduler["livenessProbe"] = healthy
    selector = {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    ports = [
        {"name": one["name"], "port": one["containerPort"], "protocol": "TCP", "targetPort": one["name"]}
        for one in scheduler["ports"]
    ]
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "slipway"}},
        "spec": {
            "worker": {"replicas": options["workers"]["minimum"], "spec": _pod(worker, options)},
            "scheduler": {
                "spec": _pod(scheduler, options),
                "service": {"type": "ClusterIP", "selector": selector, "ports": ports},
            },
        },
    }


def _container(name: str, image: str, args: list[str]) -> dict[str, Any]:
    return {"name": name, "image": image, "args": args}


def _pod(container: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = {"containers": [container]}
    if account := options.get("service_account"):
        pod["serviceAccountName"] = account
    if labels := options.get("node_selector"):
        pod["nodeSelector"] = dict(labels)
    return pod
