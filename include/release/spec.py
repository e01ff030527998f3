"""What a release says of itself: the models behind ``include/releases/*.yaml``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from include.capacity.facts import Capacity
from include.release.strict import Name as Name
from include.release.strict import Strict as Strict
from include.release.strict import Text as Text

Image = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Ticket = Annotated[int, Field(ge=1)]


class Stakeholders(Strict):
    """Who is asked and told."""

    developers: list[Text] = Field(min_length=1, title="Developers")
    operations: list[Text] = Field(min_length=1, title="Operations")
    sre: list[Text] = Field(min_length=1, title="SRE")


class CodeChange(Strict):
    """One change of code, with the ticket that asked for it."""

    kind: Literal["security", "feature", "fix"] = Field(title="Kind of change")
    ticket: Ticket = Field(title="Ticket number")
    title: Text = Field(title="What changed, in one line")


class DataChange(Strict):
    """One change of the data model, of data, or of the system around the program."""

    kind: Literal["data", "system"] = Field(title="What is changed: the data (model) or the system")
    ticket: Ticket | None = Field(default=None, title="Ticket number, if there is one")
    title: Text = Field(title="What changed, in one line")


class DesignDecision(Strict):
    """A decision that outlives the release."""

    document: Annotated[int, Field(ge=1)] = Field(title="Number of the design document")
    ticket: Ticket | None = Field(default=None, title="Ticket number, if there is one")
    title: Text = Field(title="The decision in one line")
    reason: Text = Field(title="Why")


class TestSection(Strict):
    """What was tested, and with what result."""

    summary: Text = Field(title="The result in one line")
    notes: list[Text] = Field(default=[], title="Highlights, such as load-test figures")


class ConfigMapSpec(Strict):
    """A ConfigMap of the release. It is made immutable and its name gets the digest of its data."""

    name: Name = Field(title="Name that the objects below use; the digest is added everywhere")
    data: dict[str, str] = Field(min_length=1, title="Keys and values, all text")


class SecretReference(Strict):
    """A Secret that exists in the namespace before the release. Values never stand in a spec."""

    name: Text = Field(title="Name of the Secret")
    keys: list[Text] = Field(min_length=1, title="Keys that it must have")


class Configuration(Strict):
    """What the objects are configured with."""

    config_maps: list[ConfigMapSpec] = Field(default=[], title="ConfigMaps")
    secrets: list[SecretReference] = Field(default=[], title="Secrets that must exist")
    claims: list[Text] = Field(default=[], title="PersistentVolumeClaims that must exist")


class Migration(Strict):
    """One migration. It runs in a Job; whether it is applied is written in the migrated database's ledger."""

    id: Name = Field(title="Id in the ledger")
    ticket: Ticket | None = Field(default=None, title="Ticket number, if there is one")
    title: Text = Field(title="What it does, in one line")
    up: list[Text] = Field(min_length=1, title="Command that applies it; does nothing when it is applied")
    down: list[Text] | None = Field(title="Command that takes it back; null when there is no way back")
    drops_data: Text | None = Field(title="What taking it back destroys; null when nothing")
    lost: list[Text] | None = Field(
        default=None,
        title="Command that prints as JSON how many rows taking it back would destroy: {table: rows}",
    )
    old_build_compatible: bool = Field(title="The previous build works while and after it is applied")
    timeout_seconds: Annotated[int, Field(ge=5, le=86400)] = Field(default=600, title="Seconds it may take")


class Migrations(Strict):
    """The migrations in their order, and the pod that each runs in."""

    image: Image = Field(title="Image that has them, as name:tag")
    pod: dict[str, Any] = Field(
        default={}, title="Pod spec without containers: volumes, securityContext, ..."
    )
    container: dict[str, Any] = Field(
        default={}, title="Container without name, image, command: env, volumeMounts, ..."
    )
    status: list[Text] | None = Field(
        default=None,
        title='Command that prints the ledger as JSON: [{"id": ..., "state": "applied" or "pending"}]',
    )
    steps: list[Migration] = Field(min_length=1, title="Migrations, first to last")


class HttpCheck(Strict):
    """One request to every pod of a workload, and what the answer must be."""

    path: Annotated[str, StringConstraints(pattern=r"^/\S*$")] = Field(title="Path, with query")
    status: Annotated[int, Field(ge=100, le=599)] = Field(default=200, title="Expected HTTP status")
    json_fields: dict[str, str | int | bool] = Field(
        default={}, title="Fields of the JSON answer and their values"
    )
    build: bool = Field(
        default=False, title="The field 'build' must be the build id of the image in the lock file"
    )


class SmokeCheck(Strict):
    """Checks of one workload, made of each of its pods through the API server's proxy."""

    workload: Name = Field(title="Deployment")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(title="Container port")
    requests: list[HttpCheck] = Field(min_length=1, title="Requests")


class Release(Strict):
    """A release: what changes and why, what it runs, and how it is checked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Release")

    name: Name = Field(title="Name; the same as the file's")
    app: Name = Field(title="Application that is released")
    number: Annotated[int, Field(ge=1)] = Field(title="Number of the release")
    summary: Text = Field(title="What the release brings, in one line")
    stakeholders: Stakeholders = Field(title="Stakeholders")
    code_changes: list[CodeChange] = Field(min_length=1, title="Code changes")
    data_changes: list[DataChange] = Field(default=[], title="Data and system changes")
    design_decisions: list[DesignDecision] = Field(default=[], title="Design decisions")
    tests: TestSection = Field(title="Tests")
    deployment_notes: list[Text] = Field(default=[], title="Deployment notes")
    configuration: Configuration = Field(default=Configuration(), title="Configuration")
    migrations: Migrations | None = Field(default=None, title="Migrations")
    capacity: Capacity | None = Field(
        default=None, title="Capacity facts; they fill in replicas and resources that the objects leave out"
    )
    objects: list[dict[str, Any]] = Field(
        min_length=1, title="Kubernetes objects, in full, images as name:tag"
    )
    smoke_checks: list[SmokeCheck] = Field(min_length=1, title="Smoke checks")

    @property
    def steps(self) -> list[Migration]:
        """The migrations, first to last; none when the release has none."""
        return self.migrations.steps if self.migrations else []
