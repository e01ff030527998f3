"""The configuration task: immutable ConfigMaps named by their content."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from typing_extensions import override

from include.release.applying import ensure_immutable, stored_spec
from include.release.diff import difference
from include.release.frozen import LABEL_APP, Frozen
from include.release.keeping import disposable, gone_back_to, in_use, live_specs
from include.release.kube import Cluster
from include.release.saved import all_saved, saved_name
from include.release.texts import indented
from plugins.operators.base import ReleaseOperator, give_up, run_name, say


class ConfigureOperator(ReleaseOperator):
    """Creates the release's ConfigMaps where they are not there yet, and removes versions nobody needs.

    A changed value gives another name, so pods roll; a rollback finds the ConfigMap of the build before.

    Args:
        checked_by: id of the task that asked the cluster and saved the state to go back to.
    """

    changes_cluster = True
    needs_approval = True

    def __init__(self, *, checked_by: str = "preflight", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checked_by = checked_by

    @override
    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> dict[str, Any]:
        """Returns which ConfigMaps were created and removed."""
        namespace = frozen.environment.namespace
        if dry_run:
            self._show(frozen, cluster)
            return {"created": [], "removed": []}
        if context["ti"].xcom_pull(task_ids=self.checked_by) is None:
            raise give_up(
                self,
                f"{self.checked_by} handed nothing on: somebody marked it as a success. Nobody has asked the API server, "
                f"and there is no state to go back to. Clear `{self.checked_by}` with what comes after it.",
                kind="refused",
            )
        created = []
        for manifest in (*frozen.config_maps, stored_spec(frozen)):
            name = manifest["metadata"]["name"]
            if ensure_immutable(cluster, manifest, namespace):
                created.append(name)
                say(self, f"ConfigMap {name}: created ({', '.join(sorted(manifest['data']))})")
            else:
                say(self, f"ConfigMap {name}: there already, nothing to do")
        for reference in frozen.release.configuration.secrets:
            say(
                self,
                f"Secret {reference.name}: there, with {', '.join(reference.keys)} (values are not shown)",
            )
        return {"created": created, "removed": self._tidy(frozen, cluster, run_name(context))}

    def _show(self, frozen: Frozen, cluster: Cluster) -> None:
        for manifest in frozen.config_maps:
            name = manifest["metadata"]["name"]
            if cluster.get("ConfigMap", frozen.environment.namespace, name) is not None:
                say(self, f"Dry run: ConfigMap {name} is there already; nothing would change")
            else:
                say(
                    self,
                    f"Dry run: ConfigMap {name} would be created:\n{indented(difference(None, manifest))}",
                )

    def _tidy(self, frozen: Frozen, cluster: Cluster, run: str) -> list[str]:
        namespace, app, keep = (
            frozen.environment.namespace,
            frozen.release.app,
            frozen.environment.keep_config_maps,
        )
        owned = cluster.list("ConfigMap", namespace, labels=f"{LABEL_APP}={app}")
        # ReplicaSets too: they are what somebody with kubectl goes back to.
        workloads = [*cluster.list("Deployment", namespace), *cluster.list("ReplicaSet", namespace)]
        used = in_use(workloads) | live_specs(workloads) | {stored_spec(frozen)["metadata"]["name"]}
        used |= {each["metadata"]["name"] for each in frozen.config_maps}
        used |= gone_back_to(all_saved(cluster, namespace, app), keep, saved_name(app, run))
        names = disposable(owned, used, keep)
        for name in names:
            cluster.delete("ConfigMap", namespace, name)
            say(self, f"ConfigMap {name}: removed (old, and used by nothing)")
        return names
