"""Batches of orders give way to the migrations of a release or rollback."""

from __future__ import annotations

from airflow.sdk import BaseOperator, Context

from include.release.batches import BatchStaysError, hold_batches
from include.release.frozen import Frozen
from include.release.kube import Cluster
from plugins.operators.base import give_up, run_name, say


def hold_order_batches(operator: BaseOperator, frozen: Frozen, cluster: Cluster, context: Context) -> None:
    """Have them give way; fails when one does not end. The run holds the lock and has noted that it changes something."""
    try:
        hold_batches(
            cluster,
            frozen.environment.namespace,
            frozen.release.app,
            run_name(context),
            lambda line: say(operator, line),
        )
    except BatchStaysError as error:
        raise give_up(operator, str(error)) from None
