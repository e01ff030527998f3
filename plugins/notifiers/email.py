"""E-mail, by the SMTP provider."""

from __future__ import annotations

from typing import Any

from airflow.providers.smtp.notifications.smtp import SmtpNotifier


class EmailNotifier(SmtpNotifier):
    """Sends one e-mail through the SMTP server of a connection, whose ``from_email`` is the sender.

    Args:
        to: addresses.
        subject: one line.
        html: the body.
        connection: Airflow connection of type ``smtp``; by default Airflow's own setting.
    """

    # What people wrote (a reason, a release's title) is text and no template.
    template_fields = ()  # type: ignore[assignment]

    def __init__(self, *, to: list[str], subject: str, html: str, connection: str | None = None) -> None:
        more: dict[str, Any] = {"smtp_conn_id": connection} if connection else {}
        super().__init__(to=to, subject=subject, html_content=html, **more)
