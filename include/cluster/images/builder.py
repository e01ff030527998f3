"""Builds a directory tree and its configuration from a small subset of Dockerfile."""

from __future__ import annotations

import fnmatch
import posixpath
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.cluster.images.dockerfile import DockerfileError, Instruction, expand, pairs, read

Config = dict[str, Any]
Base = Callable[[str], "tuple[Path, Config] | None"]
"""Finds the tree and configuration of an image by its reference."""

_KNOWN = ("ARG", "COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD", "LABEL", "EXPOSE")
_NEVER_COPIED = ("__pycache__", "*.pyc", ".git")
"""What a run leaves behind would give equal sources different digests."""


class BuildError(Exception):
    """The image cannot be built; the text names file and line."""


@dataclass
class _Stage:
    name: str
    base: str
    line: int
    steps: list[Instruction] = field(default_factory=list)

    @property
    def run_line(self) -> int:
        return next((step.line for step in self.steps if step.keyword in ("RUN", "ADD", "SHELL")), 0)


class Builder:
    """Builds one Dockerfile's stages.

    Args:
        dockerfile: the file.
        context: the directory that COPY reads; ``.dockerignore`` there is respected.
        args: values of build arguments.
        base: finds images by reference.
        work: an empty directory for the stages' trees.
    """

    def __init__(
        self, dockerfile: Path, context: Path, args: Mapping[str, str], base: Base, work: Path
    ) -> None:
        self._file = dockerfile
        self._context = context.resolve()
        self._args = args
        self._base = base
        self._work = work
        self._ignored = _Ignored(context / ".dockerignore")
        self._built: dict[str, tuple[Path, Config]] = {}
        self._globals: dict[str, str] = {}

    def build(self, target: str) -> tuple[Path, Config]:
        """Builds the stage named ``target``, or the last one that needs no RUN.

        Returns:
            Its tree and its configuration (Env, WorkingDir, User, Entrypoint, Cmd, Labels, ExposedPorts).

        Raises:
            BuildError: it is not a stage, or something in it is wrong or not built here.
        """
        try:
            stages = self._stages(read(self._file.read_text(encoding="utf-8")))
            return self._stage(self._choose(stages, target), stages)
        except OSError as error:
            raise BuildError(f"{self._file}: {error}") from error
        except DockerfileError as error:
            raise BuildError(f"{self._file}: {error}") from error

    def _stages(self, instructions: list[Instruction]) -> list[_Stage]:
        stages: list[_Stage] = []
        for step in instructions:
            if step.keyword == "FROM":
                words = expand(step.text, self._globals).split()
                named = len(words) == 3 and words[1].upper() == "AS"
                if not words or not (named or len(words) == 1):
                    raise DockerfileError(
                        f"line {step.line}: FROM needs an image [AS name], found {step.text!r}"
                    )
                name = words[2].lower() if named else str(len(stages))
                stages.append(_Stage(name, words[0], step.line))
            elif stages:
                stages[-1].steps.append(step)
            elif step.keyword == "ARG":
                self._globals |= self._arguments(step, self._globals)
            else:
                raise DockerfileError(f"line {step.line}: {step.keyword} before the first FROM")
        if not stages:
            raise DockerfileError("there is no FROM")
        return stages

    def _arguments(self, step: Instruction, scope: Mapping[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for word in step.text.split():
            name, _, default = word.partition("=")
            if name in self._args:
                found[name] = self._args[name]
            elif "=" in word:
                found[name] = expand(default.strip("\"'"), scope)
            elif name in self._globals:
                found[name] = self._globals[name]
        return found

    @staticmethod
    def _choose(stages: list[_Stage], target: str) -> _Stage:
        if target:
            for stage in stages:
                if stage.name == target.lower():
                    return stage
            names = ", ".join(stage.name for stage in stages)
            raise DockerfileError(f"there is no stage {target!r}; there are {names}")
        buildable = [stage for stage in stages if not stage.run_line]
        if not buildable:
            raise DockerfileError(
                f"line {stages[-1].run_line}: every stage runs programs (RUN, ADD), which is not built here"
            )
        return buildable[-1]

    def _stage(self, stage: _Stage, stages: list[_Stage]) -> tuple[Path, Config]:
        if stage.name in self._built:
            return self._built[stage.name]
        tree = self._work / f"stage-{len(self._built)}-{stage.line}"
        base_tree, config = self._origin(stage, stages)
        shutil.copytree(base_tree, tree, symlinks=True) if base_tree else tree.mkdir()
        scope: dict[str, str] = {}
        for step in stage.steps:
            if step.keyword not in _KNOWN:
                raise DockerfileError(
                    f"line {step.line}: {step.keyword} is not built here ({', '.join(('FROM', *_KNOWN))} are); "
                    "put it in a later stage for real registries"
                )
            environment = dict(entry.split("=", 1) for entry in config.get("Env", []))
            self._step(step, tree, config, scope, {**scope, **environment}, stages)
        self._built[stage.name] = tree, config
        return tree, config

    def _origin(self, stage: _Stage, stages: list[_Stage]) -> tuple[Path | None, Config]:
        earlier = [other for other in stages[: stages.index(stage)] if other.name == stage.base.lower()]
        if earlier:
            tree, config = self._stage(earlier[0], stages)
            return tree, _copied(config)
        if stage.base == "scratch":
            return None, {}
        found = self._base(stage.base)
        if found is None:
            raise DockerfileError(f"line {stage.line}: there is no image {stage.base!r} here to build from")
        return found[0], _copied(found[1])

    def _step(
        self,
        step: Instruction,
        tree: Path,
        config: Config,
        scope: dict[str, str],
        variables: Mapping[str, str],
        stages: list[_Stage],
    ) -> None:
        if step.keyword == "ARG":
            scope |= self._arguments(step, variables)
        elif step.keyword in ("ENTRYPOINT", "CMD"):
            config["Entrypoint" if step.keyword == "ENTRYPOINT" else "Cmd"] = step.command()
            if step.keyword == "ENTRYPOINT":
                config.pop("Cmd", None)  # a base image's CMD belongs to its own ENTRYPOINT
        elif step.keyword == "ENV":
            environment = dict(entry.split("=", 1) for entry in config.get("Env", []))
            environment |= {name: expand(value, variables) for name, value in pairs(step).items()}
            config["Env"] = [f"{name}={value}" for name, value in environment.items()]
        elif step.keyword == "LABEL":
            labels = {name: expand(value, variables) for name, value in pairs(step).items()}
            config["Labels"] = {**config.get("Labels", {}), **labels}
        elif step.keyword == "EXPOSE":
            ports: Config = {
                word if "/" in word else f"{word}/tcp": {} for word in expand(step.text, variables).split()
            }
            config["ExposedPorts"] = {**config.get("ExposedPorts", {}), **ports}
        elif step.keyword == "USER":
            config["User"] = expand(step.text, variables)
        elif step.keyword == "WORKDIR":
            config["WorkingDir"] = posixpath.join(config.get("WorkingDir", "/"), expand(step.text, variables))
            _place(tree, config["WorkingDir"], step).mkdir(parents=True, exist_ok=True)
        else:
            self._copy(step, tree, config, variables, stages)

    def _copy(
        self,
        step: Instruction,
        tree: Path,
        config: Config,
        variables: Mapping[str, str],
        stages: list[_Stage],
    ) -> None:
        words = [expand(word, variables) for word in step.words()]
        if len(words) < 2:
            raise DockerfileError(f"line {step.line}: COPY needs a source and a destination")
        *sources, target = words
        origin, ignored = self._context, self._ignored
        if "from" in step.flags:
            name = step.flags["from"].lower()
            stage = next((item for item in stages if item.name == name), None)
            if stage is None:
                raise DockerfileError(f"line {step.line}: COPY --from={name}: there is no such stage")
            origin, ignored = self._stage(stage, stages)[0], _Ignored(None)
        destination = _place(tree, posixpath.join(config.get("WorkingDir", "/"), target), step)
        found = [path for source in sources for path in _matches(origin, source, step)]
        into = target.endswith("/") or target in (".", "./") or len(found) > 1
        for path in found:
            if path.is_dir() and not path.is_symlink():
                _copy_directory(path, destination, origin, ignored)
            else:
                _copy_file(path, destination / path.name if into or destination.is_dir() else destination)


def _copied(config: Config) -> Config:
    return {
        key: dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value
        for key, value in config.items()
    }


def _place(tree: Path, path: str, step: Instruction) -> Path:
    normal = posixpath.normpath("/" + path).lstrip("/")
    place = tree / normal
    if not place.resolve().is_relative_to(tree.resolve()):
        raise DockerfileError(f"line {step.line}: {path} leads out of the image")
    return place


def _matches(origin: Path, source: str, step: Instruction) -> list[Path]:
    relative = posixpath.normpath("/" + source).lstrip("/")
    found = sorted(origin.glob(relative)) if re.search(r"[*?\[]", relative) else [origin / relative]
    found = [path for path in found if path.exists()]
    if not found:
        raise DockerfileError(f"line {step.line}: COPY {source}: there is no such file in {origin}")
    if any(not path.resolve().is_relative_to(origin.resolve()) for path in found):
        raise DockerfileError(f"line {step.line}: COPY {source}: it lies outside of {origin}")
    return found


def _copy_directory(source: Path, target: Path, origin: Path, ignored: _Ignored) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if ignored.matches(path.relative_to(origin).as_posix()):
            continue
        if path.is_dir() and not path.is_symlink():
            _copy_directory(path, target / path.name, origin, ignored)
        else:
            _copy_file(path, target / path.name)


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.exists():
        target.unlink()
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    shutil.copyfile(source, target)
    target.chmod(0o755 if source.stat().st_mode & 0o111 else 0o644)


class _Ignored:
    """The patterns of a ``.dockerignore``, and what is never copied."""

    def __init__(self, path: Path | None) -> None:
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.is_file() else []
        self._patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]

    def matches(self, relative: str) -> bool:
        parts = relative.split("/")
        if any(fnmatch.fnmatch(part, pattern) for part in parts for pattern in _NEVER_COPIED):
            return True
        ignored = False
        ancestors = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        for line in self._patterns:
            pattern = line.removeprefix("!").strip("/")
            options = {pattern, pattern.removeprefix("**/")}
            if any(fnmatch.fnmatch(item, option) for item in ancestors for option in options):
                ignored = not line.startswith("!")
        return ignored
