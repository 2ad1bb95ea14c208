"""What Kubernetes is asked for, compared with the resource as its API takes it. No cluster runs here."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest
import yaml

from jupyter_slipway.clusters.backends import dask_kubernetes
from jupyter_slipway.clusters.backends.dask_kubernetes import DaskKubernetes, resource
from jupyter_slipway.clusters.profiles import check
from jupyter_slipway.errors import Unavailable, Unprocessable

OPTIONS = {
    "workers": {"minimum": 1, "maximum": 4},
    "cores": 2,
    "memory": "4 GiB",
    "image": "registry.example.org/etl:1",
    "namespace": "data",
    "service_account": "dask",
    "node_selector": {"pool": "batch"},
    "gpus": 1,
}
# As `kubectl get daskcluster etl -o yaml` shows one, less what the API server adds.
RECORDED = """
apiVersion: kubernetes.dask.org/v1
kind: DaskCluster
metadata:
  name: etl
  labels: {app.kubernetes.io/managed-by: slipway}
spec:
  worker:
    replicas: 1
    spec:
      serviceAccountName: dask
      nodeSelector: {pool: batch}
      containers:
      - name: worker
        image: registry.example.org/etl:1
        args: [dask, worker, --name, $(DASK_WORKER_NAME), --nthreads, "2", --memory-limit, "4294967296"]
        resources:
          requests: {cpu: "2", memory: "4294967296", nvidia.com/gpu: "1"}
          limits: {cpu: "2", memory: "4294967296", nvidia.com/gpu: "1"}
  scheduler:
    spec:
      serviceAccountName: dask
      nodeSelector: {pool: batch}
      containers:
      - name: scheduler
        image: registry.example.org/etl:1
        args: [dask, scheduler, --host, 0.0.0.0]
        ports:
        - {name: tcp-comm, containerPort: 8786, protocol: TCP}
        - {name: http-dashboard, containerPort: 8787, protocol: TCP}
        readinessProbe: &probe
          httpGet: {port: http-dashboard, path: /health}
          initialDelaySeconds: 5
          periodSeconds: 10
        livenessProbe: *probe
    service:
      type: ClusterIP
      selector: {dask.org/cluster-name: etl, dask.org/component: scheduler}
      ports:
      - {name: tcp-comm, port: 8786, protocol: TCP, targetPort: tcp-comm}
      - {name: http-dashboard, port: 8787, protocol: TCP, targetPort: http-dashboard}
"""


def test_the_resource_is_what_the_operator_reads() -> None:
    check(DaskKubernetes().schema(), OPTIONS)

    assert resource("etl", OPTIONS) == yaml.safe_load(RECORDED)


def test_its_host_makes_it_by_dask_kubernetes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dask_kubernetes.importlib.util, "find_spec", lambda name: object())

    launch = DaskKubernetes().launch("etl", OPTIONS, tmp_path)

    assert (launch.module, launch.cls) == ("dask_kubernetes.operator", "KubeCluster")
    assert launch.kwargs["namespace"] == "data"
    assert launch.kwargs["custom_cluster_spec"] == resource("etl", OPTIONS)
    assert (launch.workers.minimum, launch.workers.maximum, launch.wait_for) == (1, 4, 0)


@pytest.mark.parametrize("name", ["Etl", "3etl", "etl_dask", "etl-", "e" * 41])
def test_a_name_that_kubernetes_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(Unprocessable, match="Kubernetes takes no cluster named"):
        resource(name, OPTIONS)


@pytest.mark.skipif(importlib.util.find_spec("dask_kubernetes") is not None, reason="it is installed here")
def test_without_the_package_it_says_which(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="dask-kubernetes is not installed") as refused:
        asyncio.run(DaskKubernetes().create("etl", OPTIONS, tmp_path / "etl"))

    assert refused.value.hint == "pip install 'jupyter-slipway[kubernetes]' where Jupyter runs."
    assert not (tmp_path / "etl").exists()
