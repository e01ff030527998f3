"""`python3 -m shop.app`: the main application."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from typing import Optional

from .common import build, settings
from .common.db import Database, DatabaseError
from .common.logs import LogFile, say
from .common.probes import add_probes
from .common.server import Server, run
from .common.web import Router
from .migrations import of_this_build
from .schema import missing


class Readiness:
    """Whether the database answers and has what this build needs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._needed = list(of_this_build())

    def reason(self) -> Optional[str]:
        """Return why the build cannot work with the database, or None."""
        try:
            with self._database.connection() as connection:
                return missing(connection, self._needed)
        except DatabaseError as error:
            return f"the database does not answer: {error}"


def serve(port: int = 8080) -> int:
    """Serve this build's features until told to end; return the exit status."""
    database = Database(settings.text("DATABASE_URL", "sqlite:////data/shop.db"))
    router = Router()
    for name in build.build_file()["features"]:
        importlib.import_module(f"{__package__}.{name}").add(router, database)
    log = LogFile(settings.text("LOG_PATH", "/home/sre/course4/app.log"))
    if hasattr(signal, "SIGHUP"):
        # In a thread: a signal handler must not wait for the log's lock, the interrupted thread may hold it.
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=log.reopen, daemon=True).start())
    address = (settings.listen_host(), settings.whole("PORT", port))
    server = Server(address, router, log.write)
    add_probes(router, "app", lambda: server, Readiness(database).reason)
    version = build.version("app")
    say(f"app {version['version']}, build {version['build'][:12]}, database {database.dialect}")
    status = run(server, "app")
    database.close()
    return status


def main() -> int:
    """Run the program; a setting it cannot work with is told in one line."""
    try:
        return serve()
    except (settings.SettingError, DatabaseError, OSError) as error:
        say(f"app: cannot start: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
