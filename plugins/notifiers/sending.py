"""One message to one channel."""

from __future__ import annotations

from airflow.sdk import Context

from include.release.policies import Channel
from include.release.telling import Message


def send(channel: Channel, message: Message, context: Context) -> None:
    """Send it. Raises whatever a server or a connection is wrong with."""
    # The providers are imported when one is used: they cost what a DAG file must not.
    if channel.kind == "email":
        from plugins.notifiers.email import EmailNotifier  # noqa: PLC0415

        EmailNotifier(
            to=list(channel.to),
            subject=message.subject,
            html=message.as_html(),
            connection=channel.connection,
        )(context)
    elif channel.kind == "webhook":
        from plugins.notifiers.chat import ChatNotifier  # noqa: PLC0415

        ChatNotifier(text=message.as_chat(), connection=channel.connection)(context)
    else:
        from plugins.notifiers.log import LogNotifier  # noqa: PLC0415

        LogNotifier(text=message.plain())(context)
