"""How containers are run on this machine: with namespaces or without, as whom, with which files."""

from __future__ import annotations

import pwd
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from include.cluster.images import Image, ImageStore
from include.cluster.node.env import ConfigError, Environment, command
from include.cluster.node.paths import PathMap
from include.cluster.node.process import PROGRAMS_DIR, PYTHON, Mount, Process, ProcessSpec, StartError
from include.cluster.node.volumes import Volumes
from include.cluster.rules import quantity
from include.cluster.settings import Settings

Object = dict[str, Any]

NO_NAMESPACES = (
    "containers have no mount namespaces here (the machine does not allow them, or they are turned off): volumes do "
    "not appear at their paths, path prefixes in command, args, env and workingDir are replaced instead"
)


@dataclass(frozen=True)
class Plan:
    """Everything known of a container before it starts."""

    process: ProcessSpec
    uid: int
    gid: int
    paths: PathMap | None = None


class Runtime:
    """Makes process specs out of containers.

    Args:
        settings: of the stand-in.
        images: where images are.
    """

    def __init__(self, settings: Settings, images: ImageStore) -> None:
        self.settings = settings
        self.images = images
        self.namespaces = settings.mount_namespaces != "never"
        self.directory = settings.state_dir / "node"
        self.programs = self.directory / "bin"

    async def prepare(self) -> None:
        """Finds out once whether mount namespaces are allowed, unless the settings say."""
        self.programs.mkdir(parents=True, exist_ok=True)
        for name in ("python3", "python"):
            link = self.programs / name
            if not link.is_symlink() or link.readlink() != PYTHON:
                link.unlink(missing_ok=True)
                link.symlink_to(PYTHON)
        if self.settings.mount_namespaces == "auto":
            self.namespaces = await self._probe()

    async def _probe(self) -> bool:
        """Runs a container that reads a file through a mount; only then are namespaces of use."""
        with tempfile.TemporaryDirectory(dir=self.directory) as name:
            place = Path(name)
            (place / "root").mkdir()
            (place / "file").write_text("seen")
            spec = ProcessSpec(
                argv=["sh", "-c", 'test "$(cat /probe/file)" = seen'],
                env={"PATH": "/usr/bin:/bin"},
                cwd="/",
                root=place / "root",
                log=place / "log",
                image=None,
                mounts=[Mount(place / "file", "/probe/file", read_only=True)],
            )
            try:
                process = await Process.start(spec, place / "errors")
            except StartError:
                return False
            code, _ = await process.wait()
            return code == 0

    def plan(
        self,
        pod: Object,
        container: Object,
        image: Image,
        environment: Environment,
        volumes: Volumes,
        place: Path,
        log: Path,
    ) -> Plan:
        """Works out how to start a container.

        Args:
            pod: the pod.
            container: the container's spec.
            image: its image.
            environment: for its variables.
            volumes: the pod's, prepared.
            place: the container's own directory.
            log: the file for its output.

        Raises:
            ConfigError: it cannot be configured as asked.
            VolumeError: a mount leads nowhere.
        """
        uid, gid = self._user(pod, container, image)
        env = environment.of(container, list(image.config.get("Env") or []), uid)
        mounts = [*volumes.mounts(container, env), *self._own_files(pod, container, place)]
        security = container.get("securityContext") or {}
        limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
        spec = ProcessSpec(
            argv=command(container, image.config, env),
            env=env,
            cwd=container.get("workingDir") or image.config.get("WorkingDir") or "/",
            root=place / "root",
            log=log,
            image=image.path,
            mounts=mounts,
            namespaces=self.namespaces,
            uid=uid,
            gid=gid,
            hostname=pod["spec"].get("hostname") or pod["metadata"]["name"][:63],
            memory_limit=int(quantity.parse(limit)) if limit else 0,
            read_only_root=bool(security.get("readOnlyRootFilesystem")),
        )
        if self.namespaces:
            return Plan(spec, uid, gid)
        paths = self._paths(spec, image)
        return Plan(self._mapped(spec, paths), uid, gid, paths)

    def _own_files(self, pod: Object, container: Object, place: Path) -> list[Mount]:
        """What the node itself puts into a container: the termination message's file, hosts, name resolution."""
        message = place / "termination-log"
        message.write_bytes(b"")
        message.chmod(0o666)
        found = [Mount(message, container.get("terminationMessagePath") or "/dev/termination-log")]
        if not self.namespaces:
            return found
        lines = [
            "# Kubernetes-managed hosts file.",
            "127.0.0.1\tlocalhost",
            "::1\tlocalhost ip6-localhost ip6-loopback",
        ]
        address = (pod.get("status") or {}).get("podIP")
        if address:
            lines.append(f"{address}\t{pod['metadata']['name']}")
        for alias in pod["spec"].get("hostAliases") or []:
            lines.append(f"{alias['ip']}\t" + "\t".join(alias.get("hostnames") or []))
        (place / "hosts").write_text("\n".join(lines) + "\n")
        found.append(Mount(place / "hosts", "/etc/hosts"))
        resolver = Path("/etc/resolv.conf")
        if resolver.is_file():
            (place / "resolv.conf").write_bytes(resolver.read_bytes())
            found.append(Mount(place / "resolv.conf", "/etc/resolv.conf"))
        taken = {entry["mountPath"] for entry in container.get("volumeMounts") or []}
        return [mount for mount in found if mount.target not in taken]

    @staticmethod
    def _user(pod: Object, container: Object, image: Image) -> tuple[int, int]:
        security = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
        name, _, group = str(image.config.get("User") or "0").partition(":")
        uid = security.get("runAsUser")
        if uid is None:
            uid = int(name) if name.isdigit() else _user_id(name)
        gid = security.get("runAsGroup")
        if gid is None:
            gid = int(group) if group.isdigit() else 0
        if security.get("runAsNonRoot"):
            meta = pod["metadata"]
            where = (
                f'(pod: "{meta["name"]}_{meta["namespace"]}({meta["uid"]})", container: {container["name"]})'
            )
            if security.get("runAsUser") == 0:
                raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
            if security.get("runAsUser") is None and not name.isdigit():
                raise ConfigError(
                    f"container has runAsNonRoot and image has non-numeric user ({name}), "
                    f"cannot verify user is non-root {where}"
                )
            if uid == 0:
                raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
        return int(uid), int(gid)

    def _paths(self, spec: ProcessSpec, image: Image) -> PathMap:
        """Where on the host the image's files and the volumes are."""
        real = {f"/{path.name}": spec.root / path.name for path in image.path.iterdir()}
        real |= {mount.target: mount.source for mount in spec.mounts}
        return PathMap(real | {PROGRAMS_DIR: self.programs})

    def _mapped(self, spec: ProcessSpec, paths: PathMap) -> ProcessSpec:
        """The same container without a file system of its own."""
        cwd = Path(paths.text(spec.cwd))
        if str(cwd) == spec.cwd and not cwd.is_dir():
            cwd = spec.root / spec.cwd.lstrip("/")
        if not cwd.exists() and not cwd.is_relative_to(spec.root):
            cwd.mkdir(parents=True, exist_ok=True)
        return replace(
            spec,
            argv=paths.words(spec.argv),
            env={name: paths.text(value) for name, value in spec.env.items()},
            cwd=str(cwd),
        )


def _user_id(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError as error:
        raise ConfigError(f"unable to find user {name}: no matching entries in passwd file") from error
