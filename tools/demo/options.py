"""What can be set from outside, read from the environment (make passes its variables on)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASES = ("release-1", "release-2")
ENVIRONMENTS = {"qa": "course4-qa", "production": "course4"}
"""In the order in which a release passes them, with their namespaces."""


class DemoError(Exception):
    """The demo cannot go on; the text is what the user reads, without a traceback."""


@dataclass(frozen=True)
class Step:
    """One release to one environment."""

    release: str
    environment: str

    @property
    def title(self) -> str:
        """As the terminal names it."""
        return f"{self.release} to {self.environment}"

    @property
    def namespace(self) -> str:
        """The namespace that it changes."""
        return ENVIRONMENTS[self.environment]


STEPS = tuple(Step(release, environment) for release in RELEASES for environment in ENVIRONMENTS)


@dataclass(frozen=True)
class Options:
    """How to run the demo, and where its files are."""

    home: Path = ROOT / ".demo"
    port: int | None = None
    once: bool = False
    keep: bool = False
    approve_by_hand: bool = False

    @property
    def airflow_home(self) -> Path:
        """Airflow's own directory: metadata database, task logs."""
        return self.home / "airflow"

    @property
    def cluster_dir(self) -> Path:
        """State of the embedded cluster, its kubeconfig too."""
        return self.home / "cluster"

    @property
    def shop_data(self) -> Path:
        """Where the volume with production's database can be found, once the cluster has made it."""
        return self.cluster_dir / "shop-data"

    @property
    def images_dir(self) -> Path:
        """The image store; it is addressed by content, so a clean start keeps it."""
        return ROOT / ".images"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.home / "logs"

    @property
    def records(self) -> Path:
        """The database of verdicts and changes."""
        return self.home / "records" / "records.db"

    @property
    def documents(self) -> Path:
        """Where the release pipeline puts its as-built documents."""
        return self.home / "documents"


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value in ("", "0", "no", "false"):
        return False
    if value in ("1", "yes", "true"):
        return True
    raise DemoError(f"{name}={environ[name]} is neither 1 nor 0")


def _by_hand(environ: Mapping[str, str]) -> bool:
    value = environ.get("APPROVE", "").strip().lower()
    if value in ("", "auto"):
        return False
    if value == "me":
        return True
    raise DemoError(f"APPROVE={environ['APPROVE']} is not me: without it, the demo approves as a second user")


def read(environ: Mapping[str, str]) -> Options:
    """Options from PORT, ONCE, KEEP, APPROVE and DEMO_DIR.

    Raises:
        DemoError: a value cannot be used.
    """
    port: int | None = None
    if text := environ.get("PORT", "").strip():
        if not text.isdigit() or not 1 <= int(text) <= 65535:
            raise DemoError(f"PORT={text} is no port number (1 to 65535)")
        port = int(text)
    home = Path(environ.get("DEMO_DIR") or ROOT / ".demo").resolve()
    return Options(home, port, _flag(environ, "ONCE"), _flag(environ, "KEEP"), _by_hand(environ))


def of_running(environ: Mapping[str, str]) -> Options:
    """Options of the demo that is up. Raises DemoError, also when none is."""
    options = read(environ)
    if not (options.cluster_dir / "kubeconfig").is_file():
        raise DemoError("no demo is up: run make demo in another terminal first")
    return options
