"""From lines to statements: one logged line, or one exception with its causes, frames and details."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from include.restarts.cause.lines import Level, Line

_PYTHON = re.compile(r"^(Exception Group )?Traceback \(most recent call last\):")
_GROUP_BAR = re.compile(r"^\s*(?:[|+] ?)+")
_GROUP_NEXT = re.compile(r"^-*\+?-{3,}")
_RUBY = re.compile(r"^\S+:\d+:in [`'].*?': .*\((?:[A-Z]\w*)(?:::\w+)*\)$")
_PANICKED = re.compile(r"^thread '.*' (?:\(\d+\) )?panicked at .*:\d+:\d+:$")
_BELONGS = re.compile(
    r"^(\s|at |\.\.\. \d+ |--- End|Caused by:|Next |goroutine \d|created by |Stack trace:|stack backtrace:|Emitted 'error' event|for call at$|#\d+ |from |note: "
    r"|\[signal SIG|runtime stack:|[}\])>]+[;,]?$)"
)
_GO_FRAME = re.compile(r"^(\S+\(.*\)|\s.*|)$")
_DEEPER = re.compile(r"^(?:Caused by: (?=\S)|\s+---> |\s+\[cause\]: |\s+what\(\):\s+)(.*)")
_NUMBERED = re.compile(r"^\s+(?:\d+: )?(.*)")
_INNER = re.compile(r"^\s+((?:[\w.]*Error|[\w.]*Exception)(?: \[\w+\])?: .*)")
_NEXT = re.compile(r"^Next (.*)")
_FRAME = re.compile(
    r"^\s+(at |File \"|from |\.\.\. |#?\d+[: ]|--- |\^|~)|^(at |goroutine |created by |#\d+ |from )"
)
_DUMPED = re.compile(r"^\s+(\[Symbol|[\w'\[\]-]+: )")
"""A property of an object that Node prints with an error; most say nothing."""
_TELLING = re.compile(
    r"^\s+'?(code|status|statusCode|httpStatusCode|errno|syscall|reason|error|message|details?|err|cause)'?: "
)
_FATAL = re.compile(
    r"^(Exception in thread \"main\"|Unhandled exception|Uncaught |PHP Fatal error|panic: |fatal error: |curl: \(|terminate called"
    r"|thread '.*' (\(\d+\) )?panicked|Unhandled|\[UnhandledPromise)"
)
_NOT_FATAL = re.compile(r"^Exception in thread|^Exception ignored|never retrieved|^future: <")
_EXCEPTION = re.compile(
    r"^(?:Exception in thread \"[^\"]*\" |Unhandled [eE]xception[.:]? |Uncaught |Caused by: "
    r"|PHP Fatal error:  Uncaught |Unhandled rejection )?"
    r"((?:[A-Za-z_][\w$]*[.:]{1,2})*[A-Z][\w$]*)(?: \[\w+\])?(?: \(0x\w+\)| \(\d+\))?(?::|$)"
)
_TYPE_NAME = re.compile(
    r"(Error|Exception|Timeout|Exit|Interrupt|Failure|Warning|Unavailable|Refused|NoBrokersAvailable)$"
)


Relation = Literal["", "cause", "handling", "group"]
_RELATIONS: tuple[tuple[re.Pattern[str], Relation], ...] = (
    (re.compile(r"^During handling of the above exception"), "handling"),
    (re.compile(r"^The above exception was the direct cause"), "cause"),
)
MESSAGE_LINES = 8
"""Lines that the message of an exception may have."""


@dataclass
class Link:
    """One exception of a chain, or the text of a line."""

    text: str
    kind: str = ""
    """Name of the exception's type without its module."""
    relation: Relation = ""
    """To the one before it: raised from it, raised while it was handled, or a member of a group."""
    raised: bool = True
    """By a raise of the program's own, not by what an expression met."""


@dataclass
class Statement:
    """What was said at one place of the log."""

    level: Level
    links: list[Link] = field(default_factory=list)
    """The root first, what was seen last."""
    details: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    exception: bool = False
    python: bool = False
    """Its links were seen root first, as Python prints them."""
    cut: bool = False
    """The log begins in it: its head is not there."""
    uncaught: bool = False
    """An exception that ended the program, as far as its form tells."""

    @property
    def text(self) -> str:
        """The line that stands for it."""
        return self.links[-1].text if self.links else ""


def statements_of(lines: list[Line]) -> list[Statement]:
    """The statements of a log, first to last."""
    return _Reader().read(lines)


class _Reader:
    def __init__(self) -> None:
        self.done: list[Statement] = []
        self.now: Statement | None = None
        self.in_python = False
        self.in_panic = False
        self.in_go_dump = False
        self.in_causes = False
        self.message_lines = 0
        self.relation: Relation = ""

    def read(self, lines: list[Line]) -> list[Statement]:
        grouped = any("Exception Group Traceback" in each.text for each in lines)
        if lines and lines[0].text[:1].isspace():
            # the head is cut off: the rest of a traceback, or of what another error was printed with
            python = any(each.text.lstrip().startswith('File "') for each in lines)
            self._begin(Statement("none", exception=python, python=python, uncaught=True, cut=True))
            self.in_python = python
        for each in lines:
            self._take(Line(_GROUP_BAR.sub("", each.text), each.level) if grouped else each, grouped)
        return self.done

    def _take(self, line: Line, grouped: bool) -> None:
        text = line.text
        blank = not text.strip()
        if grouped and _GROUP_NEXT.match(text):
            self.relation = "group"
        elif _PYTHON.match(text):
            self._python_head(line)
        elif relation := next((name for form, name in _RELATIONS if form.match(text)), None):
            self.relation = relation
        elif self.in_python:
            self._python_line(text)
        elif blank or self._message_goes_on(line):
            pass
        elif self.now and self._continues(text):
            self._continue(text)
        else:
            self._new(line)
        if blank:
            self.message_lines = 0

    def _message_goes_on(self, line: Line) -> bool:
        """Whether it is one more line of an exception's message; it is then taken."""
        if self.now is None:
            return False
        text = line.text.strip()
        if self.in_panic:
            self.now.links.insert(0, Link(text, _kind(text)))
            self.in_panic = False
            return True
        if self.message_lines and line.level == "none" and not _kind(line.text):
            self.message_lines -= 1
            self.now.details.append(text)
            return True
        return False

    def _begin(self, statement: Statement) -> Statement:
        self.done.append(statement)
        self.now = statement
        self.in_go_dump = self.in_causes = self.in_panic = False
        self.message_lines = 0
        return statement

    def _python_head(self, line: Line) -> None:
        # The exception that is continued by another is one statement with it.
        if self.relation and self.now is not None and self.now.exception:
            self.now.cut = self.now.cut or not self.now.python
        else:
            uncaught, cut = not self._logged(), bool(self.relation)
            self._begin(Statement(line.level, exception=True, python=True, uncaught=uncaught, cut=cut))
        assert self.now is not None
        self.now.python = self.in_python = True

    def _logged(self) -> bool:
        """Whether the line before announces an exception that did not end the program."""
        if not self.done:
            return False
        return self.done[-1].level in ("warn", "error") or bool(_NOT_FATAL.search(self.done[-1].text))

    def _python_line(self, text: str) -> None:
        assert self.now is not None
        if not text.strip():
            return
        if text[:1].isspace():
            self.now.frames.append(text)
            return
        source = [each for each in self.now.frames if not re.match(r"^\s*[\^~]+\s*$", each)]
        raised = not source or source[-1].strip().startswith(("raise", "File ", "sys.exit", "exit("))
        link = Link(text, _kind(text), self.relation, raised)
        if self.relation == "group":
            self.now.links.insert(0, link)
        else:
            self.now.links.append(link)
        self.in_python, self.relation = False, ""
        # the rest of a message of many lines follows at once; what a program goes on to say comes after a logged one
        self.message_lines = MESSAGE_LINES if self.now.uncaught else 0

    def _continues(self, text: str) -> bool:
        if self.in_go_dump:
            return bool(_GO_FRAME.match(text)) or bool(_BELONGS.match(text))
        if self.now and self.now.links and _RUBY.match(self.now.text) and _RUBY.match(text):
            return bool(self.now.frames)
        return bool(_BELONGS.match(text))

    def _continue(self, text: str) -> None:
        assert self.now is not None
        if text.startswith("goroutine "):
            self.in_go_dump, self.now.exception = True, True
        if self.in_go_dump:
            self.now.frames.append(text)
        elif text.startswith("stack backtrace:"):
            self.in_causes, self.now.exception = False, True
        elif text.startswith("Caused by:") and not text[10:].strip():
            self.in_causes = True
        elif (deeper := self._deeper(text)) is not None:
            self.now.links.insert(0, Link(deeper, _kind(deeper)))
        elif found := _NEXT.match(text):
            self.now.links.append(Link(found[1], _kind(found[1])))
        elif _FRAME.match(text):
            self._frame(text)
        elif not _DUMPED.match(text) or _TELLING.match(text):
            self.now.details.append(text.strip())

    def _frame(self, text: str) -> None:
        """A call: it makes an exception of what it stands under, which may be the end of a message of many lines."""
        assert self.now is not None
        if not self.now.frames and not self.now.exception:
            for back in range(len(self.done) - 2, max(len(self.done) - 2 - MESSAGE_LINES, -1), -1):
                head = self.done[back]
                if head.exception and not head.frames and head.level == "none":
                    head.details += [each.text for each in self.done[back + 1 :]]
                    del self.done[back + 1 :]
                    self.now = head
                    break
        self.now.exception = True
        self.now.frames.append(text)

    def _deeper(self, text: str) -> str | None:
        """The cause that a line names for the exceptions before it."""
        assert self.now is not None
        if found := _DEEPER.match(text):
            self.now.exception = True
            return found[1]
        if _RUBY.match(text):
            return text
        found = (_NUMBERED.match(text) if self.in_causes else None) or _INNER.match(text)
        return found[1] if found else None

    def _new(self, line: Line) -> None:
        if self.relation:
            self.relation = ""
        kind = _kind(line.text)
        fatal = bool(_FATAL.match(line.text))
        statement = Statement(line.level, [Link(line.text, kind)], exception=bool(kind) or fatal)
        statement.uncaught = fatal or (bool(kind) and line.level == "none" and not self._logged())
        self._begin(statement)
        self.in_panic = bool(_PANICKED.match(line.text))


def _kind(text: str) -> str:
    if _RUBY.match(text) and (found := re.search(r"\(((?:[A-Z]\w*)(?:::\w+)*)\)$", text)):
        return found[1]
    if found := re.search(r"throwing an instance of '([\w:]+)", text):
        return found[1]
    found = _EXCEPTION.match(text)
    if not found:
        return ""
    name = re.split(r"[.$]", found[1])[-1] if "::" not in found[1] else found[1]
    return name if _TYPE_NAME.search(name) or "." in found[1] or "::" in found[1] else ""
