"""The task log, for whoever collects logs."""

from __future__ import annotations

from airflow.sdk import BaseNotifier, Context


class LogNotifier(BaseNotifier):
    """Writes a text to the task log, line by line."""

    template_fields = ()

    def __init__(self, *, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Context) -> None:  # noqa: ARG002 (Airflow gives it)
        """Write it."""
        for line in self.text.splitlines():
            self.log.info("%s", line)
