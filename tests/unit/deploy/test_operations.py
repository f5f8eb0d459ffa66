"""Compose file, Kubernetes manifests, Prometheus rules and dashboard: well formed, and of this gateway."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from prometheus_client.metrics import MetricWrapperBase

from cmif.cli.main import app
from cmif.gateway.metrics import Metrics, _BudgetsLeft
from cmif.gateway.store import SqliteStore
from cmif.privacy.accounting import Budget

DEPLOY = Path(__file__).parents[3] / "deploy"
EXPRESSIONS = [
    rule["expr"] for group in yaml.safe_load((DEPLOY / "observe/rules.yaml").read_text("utf-8"))["groups"] for rule in group["rules"]
] + [
    target["expr"]
    for panel in json.loads((DEPLOY / "observe/dashboard.json").read_text("utf-8"))["panels"]
    for target in panel["targets"]
]  # fmt: skip


PROMTOOL = shutil.which("promtool", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes/gateway.yaml").read_text("utf-8")))


def container() -> dict[str, Any]:
    found: dict[str, Any] = manifests()[0]["spec"]["template"]["spec"]["containers"][0]
    return found


def served(folder: Path) -> dict[str, set[str]]:
    """Every series that a gateway can expose, with its labels."""
    (left,) = _BudgetsLeft(SqliteStore(str(folder / "ledger.sqlite"), Budget())).collect()  # read from the ledger, at each scrape
    found: dict[str, set[str]] = {left.name: set(left._labelnames)}
    for instrument in vars(Metrics()).values():
        if isinstance(instrument, MetricWrapperBase):
            labels = set(instrument._labelnames)
            for suffix in ("", "_total", "_sum", "_count"):
                found[instrument._name + suffix] = labels
            found[instrument._name + "_bucket"] = labels | {"le"}
    return found


def test_every_metric_and_label_that_rules_and_dashboard_name_is_one_of_the_gateway_s(tmp_path: Path) -> None:
    known = served(tmp_path)
    assert EXPRESSIONS
    for expression in EXPRESSIONS:
        names = re.findall(r"\bcmif_[a-z_]+", expression)
        assert names, expression
        assert set(names) <= known.keys(), expression
        grouped = {
            label.strip() for by in re.findall(r"\bby \(([^)]*)\)", expression) for label in by.split(",")
        }
        assert grouped <= {"instance", *(label for name in names for label in known[name])}, expression


@pytest.mark.skipif(PROMTOOL is None, reason="needs scripts/install-promtool")
def test_the_rules_fire_when_they_should() -> None:
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "rules.test.yaml"]):
        done = subprocess.run([str(PROMTOOL), *command], cwd=DEPLOY / "observe", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("of", ["compose", "kubernetes"])
def test_the_gateway_takes_the_options_that_are_written_for_it(of: str) -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["gateway"]
    arguments = compose["command"] if of == "compose" else container()["args"]
    gateway = typer.main.get_command(app).commands["gateway"]  # type: ignore[attr-defined]
    options = {option for parameter in gateway.params for option in parameter.opts}
    assert {argument.partition("=")[0] for argument in arguments} <= options


def test_the_manifests_give_the_gateway_nothing_it_does_not_need() -> None:
    pod = manifests()[0]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert container()["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    assert manifests()[0]["spec"]["replicas"] == 1
    mounted = {mount["name"] for mount in container()["volumeMounts"]}
    given = {volume["name"] for volume in pod["volumes"]} | {"state"}
    assert mounted == given


def test_the_manifests_are_kubernetes_own() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate from the package registry")
    for manifest in manifests():
        validate.validate(manifest, "1.31", strict=True)
