"""What is kept how long: the models behind ``include/config/log_retention.yaml``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from include.capacity.figures import Amount, Share, amount, percent
from include.logs.amounts import Days, Size, Time
from include.release.policies import ChangeWindow, Channel, Freeze, OpenHours, Weekday
from include.release.strict import Name, Strict, Text

Command = Literal["measure", "plan", "archive", "verify", "delete", "space", "report", "restore", "release"]
"""The steps of the program that runs where the logs are."""


def _glob(value: Any) -> Any:
    """A pattern that stays below the volume's root."""
    parts = value.split("/") if isinstance(value, str) else [""]
    if "" in parts or "\0" in str(value):
        raise ValueError("a pattern of paths below the volume's root, such as app.log.* or web/**/*.log")
    if ".." in parts or "." in parts:
        raise ValueError("a pattern without . and .. as parts of its path: it cannot leave the volume")
    if parts[0] == ".log-cleanup":
        raise ValueError(
            "a pattern of logs: .log-cleanup is the clean-up's own directory, which no class touches"
        )
    return value


def _directory(value: Any) -> Any:
    """An absolute path in its shortest form."""
    parts = value.split("/")[1:] if isinstance(value, str) else [""]
    if not str(value).startswith("/") or any(each in ("", ".", "..") for each in parts):
        raise ValueError(
            "an absolute path without . and .. and without a slash at the end, such as /var/log/shop"
        )
    return value


Glob = Annotated[str, BeforeValidator(_glob)]
Directory = Annotated[str, BeforeValidator(_directory)]


class Truncation(Strict):
    """Leave to cut a file of this class to nothing while it is open."""

    accept_loss: Text = Field(title="Why it does not matter that lines written at that moment are lost")


class LogClass(Strict):
    """Files that are kept alike. The first class that matches a file counts."""

    name: Name = Field(title="Name")
    globs: list[Glob] = Field(
        min_length=1, title="Paths below the root: * and ? within a directory, ** across directories"
    )
    keep_days: Days | None = Field(
        default=None, title="Days that a file stays; none given: age takes nothing away"
    )
    keep_size: Size | None = Field(
        default=None, title="The newest so many bytes stay; none given: size takes nothing away"
    )
    archive: bool = Field(default=True, title="Archived before it goes")
    archive_keep_days: Days | None = Field(
        default=None, title="Days that an archive stays; none given: for ever"
    )
    minimum_days: Days = Field(
        default=0, title="Compliance: days that live time and archive time together are never less than"
    )
    truncate: Truncation | None = Field(
        default=None,
        title="Cut files that are open to nothing; none given: never, their archived range is freed",
    )

    @property
    def accepts_loss(self) -> str:
        """Why it may be truncated; empty when it may not."""
        return self.truncate.accept_loss if self.truncate else ""

    @property
    def bytes_to_keep(self) -> int | None:
        """The newest bytes that stay."""
        return int(amount(self.keep_size)) if self.keep_size else None


class Hold(Strict):
    """A legal hold: nothing that matches is changed, archives and restored copies included."""

    case: Text = Field(title="Case it is for")
    owner: Text = Field(title="Who placed it, and may end it")
    globs: list[Glob] = Field(min_length=1, title="Paths below the root that are held")
    volumes: list[Name] = Field(default=[], title="Volumes it applies to; none given: all")


class ArchiveTo(Strict):
    """Where archives go when not on the volume itself."""

    claim: Name | None = Field(default=None, title="PersistentVolumeClaim of the same namespace")
    path: Directory | None = Field(default=None, title="Directory on the worker")

    @model_validator(mode="after")
    def _one(self) -> ArchiveTo:
        if (self.claim is None) == (self.path is None):
            raise ValueError("either claim: (for a volume in a cluster) or path: (for one on the worker)")
        return self


class Resources(Strict):
    """What the clean-up's pod asks for, and may use."""

    cpu: Amount = Field(default="250m", title="CPU it asks for")
    memory: Size = Field(default="128Mi", title="Memory it asks for")
    memory_limit: Size = Field(default="512Mi", title="Memory it may use")
    cpu_limit: Amount | None = Field(
        default=None,
        title="CPU it may use; none given: what the node has free. For namespaces that ask for a limit",
    )


class Volume(Strict):
    """A directory of logs: in a PersistentVolumeClaim of an environment, or on the worker."""

    name: Name = Field(title="Name, as the form offers it")
    title: Text = Field(title="What it holds")
    path: Directory = Field(
        title="Its root: where the claim is mounted, as its user has it, or the worker's directory"
    )
    environment: Name | None = Field(
        default=None, title="Environment of environments.yaml; none given: on the worker"
    )
    claim: Name | None = Field(default=None, title="PersistentVolumeClaim in the environment's namespace")
    user: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, title="User id that owns the files, as which the clean-up runs"
    )
    group: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, title="Group id; none given: that of the user"
    )
    fs_group: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None,
        title="Group that Kubernetes gives the volumes to, as its user's pods have it; none given: left",
    )
    image: Text | None = Field(
        default=None,
        title="Image with Python 3.9 or later: name:tag of the environment's lock file, or a whole reference",
    )
    used_by: Name | None = Field(
        default=None, title="Deployment that writes the logs: the clean-up runs on the node of its pod"
    )
    apps: list[Name] = Field(
        default=[],
        title="Applications whose logs these are: a change that rolls back makes the clean-up wait",
    )
    size: Size | None = Field(
        default=None, title="Bytes that may be used, where the directory has no file system of its own"
    )
    floor: Share = Field(default="20 %", title="Free space below which people are told")
    target: Share = Field(default="25 %", title="Free space that the forecast aims at; not below the floor")
    approve_above: Size | None = Field(
        default=None, title="A plan that takes more away is approved first; none given: no amount is too much"
    )
    unknown_open_days: Days = Field(
        default=2,
        title="Where it cannot be seen whether a file is open: one that changed in so many days counts as open",
    )
    may_trigger: list[Text] | None = Field(
        default=None,
        min_length=1,
        title="On the worker: users who may clean it up or restore by hand; '*' or none given: whoever Airflow lets",
    )
    may_approve: list[Text] | None = Field(
        default=None,
        min_length=1,
        title="On the worker: users who may approve a plan; '*' or none given: whoever may answer in Airflow",
    )
    archive_to: ArchiveTo | None = Field(
        default=None, title="Where archives go; none given: on the volume itself"
    )
    compression: Literal["auto", "zstd", "gzip"] = Field(
        default="auto", title="auto: zstd where Python or the image has it, else gzip"
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default=2, title="Processes that read, compress and delete"
    )
    resources: Resources = Field(default=Resources(), title="What its pod asks for")
    timeout_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = Field(default=60, title="Minutes for one step")
    dry_run: bool = Field(default=False, title="Only say what a run would do")
    classes: list[LogClass] = Field(min_length=1, title="What is kept how long; files of no class are kept")

    @property
    def on_worker(self) -> bool:
        """Whether it is a directory of the worker."""
        return self.environment is None

    @property
    def bytes_of_size(self) -> int | None:
        """The configured size in bytes."""
        return int(amount(self.size)) if self.size else None

    @property
    def bytes_to_approve(self) -> int | None:
        """Bytes above which a plan is approved first."""
        return int(amount(self.approve_above)) if self.approve_above else None

    @property
    def floor_percent(self) -> float:
        """Free space in percent below which people are told."""
        return float(percent(self.floor) * 100)

    @property
    def target_percent(self) -> float:
        """Free space in percent that there should be."""
        return float(percent(self.target) * 100)

    def log_class(self, name: str) -> LogClass | None:
        """The class of a name."""
        return next((each for each in self.classes if each.name == name), None)


class Window(Strict):
    """When a run may start without asking: one that is late, after a pause, asks a person outside of it."""

    open: list[OpenHours] = Field(
        default=[], title="Open hours; none given: from start to finish_by, every day"
    )
    freezes: list[Freeze] = Field(default=[], title="Times in which nothing is cleaned up unasked")


class Compliance(Strict):
    """Who decides what may go, or gives more storage."""

    name: Text = Field(default="Compliance", title="Name, as the storage request addresses it")
    contact: Text | None = Field(default=None, title="How to reach them")


class LogRetention(Strict):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Log retention")

    time_zone: Text = Field(default="UTC", title="Time zone of all times here, such as Europe/Berlin")
    start: Time = Field(default="04:00", title="When the clean-up starts every day, as HH:MM")
    finish_by: Time = Field(
        default="06:00",
        title="When it must have ended: later is an alert. Before the start is on the next day",
    )
    window: Window = Field(default=Window(), title="When it may start unasked, if it could not start in time")
    heartbeat: Text | None = Field(
        default=None,
        title="Airflow connection whose password is a URL, asked for after a clean-up of all volumes that went well",
    )
    tell: list[Channel] = Field(default=[Channel(kind="log")], title="Who is told")
    compliance: Compliance = Field(default=Compliance(), title="To whom a storage request goes")
    holds: list[Hold] = Field(default=[], title="Legal holds; they win over everything")
    volumes: list[Volume] = Field(min_length=1, title="Where logs are, and how long they are kept")

    @property
    def change_window(self) -> ChangeWindow:
        """The window, as ``include.release.windows`` reads it: without open hours, the time that a clean-up has."""
        hours = self.window.open or [
            OpenHours(days=list(get_args(Weekday)), start=self.start, end=self.finish_by)
        ]
        return ChangeWindow(time_zone=self.time_zone, open=hours, freezes=self.window.freezes)

    def find(self, name: str) -> Volume | None:
        """The volume of that name."""
        return next((each for each in self.volumes if each.name == name), None)

    def holds_of(self, volume: str) -> list[Hold]:
        """The holds that apply to a volume."""
        return [each for each in self.holds if not each.volumes or volume in each.volumes]
