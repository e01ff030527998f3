"""A Slack-compatible webhook (Slack, Mattermost, Rocket.Chat), by the Slack provider."""

from __future__ import annotations

from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)

TIMEOUT_SECONDS = 10
RETRIES = 2


class ChatNotifier(SlackWebhookNotifier):
    """Posts one message to the incoming webhook of a connection of type ``slackwebhook``.

    The webhook's URL is a secret: it is the connection's password.

    Args:
        text: the message in Slack's markup.
        connection: Airflow connection; by default the Slack provider's.
    """

    # What people wrote (a reason, a release's title) is text and no template.
    template_fields = ()  # type: ignore[assignment]

    def __init__(self, *, text: str, connection: str | None = None) -> None:
        super().__init__(
            slack_webhook_conn_id=connection or "slack_default",
            text=text,
            timeout=TIMEOUT_SECONDS,
            retry_handlers=[
                ConnectionErrorRetryHandler(max_retry_count=RETRIES),
                RateLimitErrorRetryHandler(max_retry_count=RETRIES),
                ServerErrorRetryHandler(max_retry_count=RETRIES),
            ],
        )
