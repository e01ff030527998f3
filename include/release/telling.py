"""Telling people what became of a change: the message, and to whom it goes."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.release.policies import Channel

WAITS = "waits for approval"


@dataclass(frozen=True)
class Message:
    """What became of a change, for people who were not there.

    Args:
        outcome: released, failed, refused, rolled back or interrupted; or that it waits for approval.
        title: how it names the change: ``release-2 (shop) in production``, or what ``rollback_title`` gives.
        paragraph: what happened.
        details: short facts, such as who asked for it and why.
        links: what can be opened, by what it is.
    """

    outcome: str
    title: str
    paragraph: str
    details: Mapping[str, str]
    links: Mapping[str, str]

    @property
    def subject(self) -> str:
        """One line, the outcome first."""
        return " ".join(f"[{self.outcome}] {self.title}".split())

    def plain(self) -> str:
        """As plain text."""
        facts = [f"{name}: {_line(value)}" for name, value in self.details.items() if value]
        links = [f"{name}: {url}" for name, url in self.links.items() if url]
        return "\n".join([self.subject, "", self.paragraph, "", *facts, *links])

    def as_html(self) -> str:
        """As the body of an e-mail. Nothing in it is taken for markup."""
        rows = [(name, html.escape(_line(value))) for name, value in self.details.items() if value]
        for name, url in self.links.items():
            if url.startswith(("http://", "https://")):
                rows.append((name, f'<a href="{html.escape(url)}">{html.escape(url)}</a>'))
            elif url:
                rows.append((name, html.escape(url)))
        facts = "".join(f"<tr><td>{html.escape(name)}</td><td>{text}</td></tr>" for name, text in rows)
        # A paragraph with lines of a log in it keeps them.
        paragraph = html.escape(self.paragraph).replace("\n", "<br>")
        return f"<h3>{html.escape(self.subject)}</h3><p>{paragraph}</p><table>{facts}</table>"

    def as_chat(self) -> str:
        """As a Slack message: its control characters are escaped, so that nobody is mentioned by a reason."""
        facts = [f"*{_chat(name)}:* {_chat(_line(value))}" for name, value in self.details.items() if value]
        links = [
            f"<{_chat(url)}|{_chat(name)}>"
            if url.startswith(("http://", "https://"))
            else f"{_chat(name)}: {_chat(url)}"
            for name, url in self.links.items()
            if url
        ]
        return "\n".join([f"*{_chat(self.subject)}*", _chat(self.paragraph), *facts, *links])


def rollback_title(app: str, environment: str, target: str) -> str:
    """How a message names a rollback: by the target alone it would read as if that had been taken back."""
    return f"rollback of {app} in {environment} to {target}"


def channels_for(channels: Sequence[Channel], outcome: str) -> list[Channel]:
    """Those that want to hear of this outcome, each once."""
    wanted = []
    for channel in channels:
        if outcome in channel.outcomes and channel not in wanted:
            wanted.append(channel)
    return wanted


def key_of(run: str, channel: Channel, message: Message) -> str:
    """What tells one message to one channel from another: telling the same again is not needed.

    A run that somebody clears and that then ends in another way has something new to tell.
    """
    content = hashlib.sha256(f"{message.outcome}\0{message.paragraph}".encode()).hexdigest()[:16]
    to = hashlib.sha256("\0".join(sorted(channel.to)).encode()).hexdigest()[:8] if channel.to else "-"
    return f"{run}#{channel.kind}#{channel.connection or '-'}#{to}#{content}"


def name_of(channel: Channel) -> str:
    """How a log names it: no address, no secret."""
    if channel.kind == "log":
        return "the task log"
    to = f" to {', '.join(channel.to)}" if channel.to else ""
    return f"{channel.kind}{to} (connection {channel.connection or 'default'})"


def _line(text: str) -> str:
    return " ".join(text.split())


def _chat(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
