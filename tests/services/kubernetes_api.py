"""The part of a Kubernetes API that jobs need, on loopback; its pods are processes of this machine.

What is posted is kept as it came, so that tests may hold it against Kubernetes' own schema. A pod
has what its manifest gives it and nothing of whoever posted it: a working folder of its own, the
variables named in its `env`, and those of the image. It runs at once whatever it asks for: there is
no scheduler and no kubelet here, and the image is this machine's own Python.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.services.loopback import Request, Response, Service, as_json

_NAMED = re.compile(
    r"/(?:api|apis/batch)/v1/namespaces/(?P<space>[^/]+)/(?P<kind>\w+)(?:/(?P<name>[^/]+))?"
    r"(?:/(?P<part>\w+))?"
)
_KINDS = {
    "jobs": {"apiVersion": "batch/v1", "kind": "Job"},
    "secrets": {"apiVersion": "v1", "kind": "Secret"},
}


@dataclass
class Pod:
    """A job's only pod."""

    process: subprocess.Popen[bytes]
    said: Path

    def status(self) -> dict[str, Any]:
        """Return the status of its job."""
        code = self.process.poll()
        if code is None:
            return {"active": 1}
        return {"failed": 1} if code else {"succeeded": 1}

    def state(self) -> dict[str, Any]:
        """Return the state of its container."""
        code = self.process.poll()
        return {"running": {}} if code is None else {"terminated": {"exitCode": code}}


@dataclass(kw_only=True)
class KubernetesApi(Service):
    """Secrets, jobs and their pods."""

    folder: Path
    """Where pods have their working folders."""
    posted: list[dict[str, Any]] = field(default_factory=list)
    """Every document that was posted, in order."""
    pods: dict[str, Pod] = field(default_factory=dict)
    """By name of the job."""
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    """Those that were not deleted."""

    def respond(self, asked: Request) -> Response:
        """Answer one request as Kubernetes does."""
        found = _NAMED.fullmatch(asked.path)
        if found is None:
            return _refused(asked.path)
        match asked.method, found["kind"], found["name"], found["part"]:
            case "POST", "secrets" | "jobs" as kind, None, None:
                return self._made(kind, asked.document())
            case "DELETE", "secrets", str(name), None:
                self.secrets.pop(name, None)
            case "DELETE", "jobs" | "pods", str(), None:
                pass
            case "GET", "jobs", str(name), "status" if name in self.pods:
                document = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
                return as_json(document | {"status": self.pods[name].status()})
            case "GET", "pods", None, None:
                return as_json({"apiVersion": "v1", "kind": "PodList", "items": self._of(asked)})
            case "GET", "pods", str(name), "log":
                return Response(self.pods[name].said.read_bytes(), "text/plain")
            case _:
                return _refused(asked.path)
        return as_json({"apiVersion": "v1", "kind": "Status", "status": "Success"})

    def _made(self, kind: str, body: dict[str, Any]) -> Response:
        # The place that it is posted to says what it is, where the document does not.
        document = _KINDS[kind] | body
        self.posted.append(document)
        name = document["metadata"]["name"]
        if kind == "secrets":
            self.secrets[name] = document["data"]
        else:
            self.pods[name] = self._started(name, document)
        return as_json(document, 201)

    def _started(self, name: str, job: dict[str, Any]) -> Pod:
        (container,) = job["spec"]["template"]["spec"]["containers"]
        place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        named = {v["name"]: v["valueFrom"]["secretKeyRef"] for v in container.get("env") or ()}
        given = {
            variable: base64.b64decode(self.secrets[secret["name"]][secret["key"]]).decode()
            for variable, secret in named.items()
        }
        image = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(place),
                 "PYTHONHASHSEED": "0"}  # fmt: skip
        said = place / "said"
        with said.open("wb") as out:
            process = subprocess.Popen(
                [*container["command"], *container["args"]],
                cwd=place, env=image | given, stdout=out, stderr=out,
            )  # fmt: skip
        return Pod(process, said)

    def _of(self, asked: Request) -> list[dict[str, Any]]:
        name = asked.query.get("labelSelector", "").removeprefix("job-name=")
        if name not in self.pods:
            return []
        container = {
            "name": "snakemake", "image": "", "imageID": "", "ready": True, "restartCount": 0,
            "state": self.pods[name].state(),
        }  # fmt: skip
        return [{"metadata": {"name": name}, "status": {"containerStatuses": [container]}}]

    def write_account(self, file: Path) -> None:
        """Write how a client finds this API, as `KUBECONFIG` names it."""
        context = {"cluster": "loopback", "user": "operator", "namespace": "fieldline"}
        document = {
            "apiVersion": "v1", "kind": "Config", "current-context": "loopback",
            "clusters": [{"name": "loopback", "cluster": {"server": self.host}}],
            "users": [{"name": "operator", "user": {"token": "none"}}],
            "contexts": [{"name": "loopback", "context": context}],
        }  # fmt: skip
        file.write_text(yaml.safe_dump(document), encoding="utf-8")

    def end(self) -> None:
        """End the pods that still run."""
        for pod in self.pods.values():
            pod.process.terminate()
            pod.process.wait()


def _refused(path: str) -> Response:
    return as_json({"kind": "Status", "status": "Failure", "reason": f"NotFound: {path}"}, 404)
