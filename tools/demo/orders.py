"""``python -m tools.demo.orders MODE``: give the demo's order processing something to do, break it, or put it right."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from tools.demo import options as settings
from tools.demo.options import DemoError

MODES = ("ok", "poison", "systemic", "burst")
GOOD, BAD = "Monstera", "Mandrake"
GONE = " (gone)"
COUNTS = {"ok": 8, "poison": 8, "systemic": 12}
NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
BURST = 1500
"""More than an hour gets done when every order is a slow one."""
TRIGGER = "Now trigger the DAG order_processor, with a reason"
NEXT = {
    "ok": f"The catalogs and every order are right, the burst is taken back, and 8 more orders wait. {TRIGGER}: it processes "
    "them in half a minute, and what was told of errors is told to be over. Orders that were set aside want their numbers in "
    "'Open again'.",
    "poison": f"8 orders wait, and one of them, order {{bad}}, is for something that is in no catalog. {TRIGGER}: after six "
    "tries, some two minutes, the order is set aside, the others are processed, and the task tell has the one message to the "
    "developers. Then correct it with MODE=ok, and trigger the DAG with {bad} in 'Open again'.",
    "systemic": f"12 orders wait, and the catalogs have lost every plant. {TRIGGER}: the batch is stopped early, restarted "
    "once and handed over to the developers, with the evidence; the run fails. Put it right with MODE=ok.",
    "burst": f"{BURST:,} orders wait, more than an hour gets done. Within five minutes the DAG order_backlog tells 'Outstanding "
    "orders too high'. A batch of order_processor would work for an hour; take the burst back with MODE=ok.",
}


def database() -> Path:
    """The database of production's shop in the demo. Raises DemoError."""
    path = settings.of_running(os.environ).shop_data / "shop.db"
    if not path.is_file():
        raise DemoError("the shop has no database yet: wait until release-2 is in production")
    return path


def change(path: Path, mode: str) -> str:
    """Do it, and say what to do next. Raises DemoError."""
    with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'order_problems'").fetchone():
            raise DemoError("the shop processes no orders yet: wait until release-2 is in production")
        for table in ("plants", "exotic_plants"):
            connection.execute(f"UPDATE {table} SET name = replace(name, ?, '')", (GONE,))
            if mode == "systemic":
                connection.execute(f"UPDATE {table} SET name = name || ?", (GONE,))
        if mode == "ok":
            connection.execute("UPDATE orders SET item = ? WHERE item = ?", (GOOD, BAD))
            connection.execute(
                "UPDATE orders SET status = 'processed' WHERE status = 'open' AND created_at IN (SELECT created_at "
                "FROM orders GROUP BY created_at HAVING count(*) >= ?)",
                (BURST,),
            )
        moment = connection.execute(f"SELECT {NOW}").fetchone()[0]
        user = connection.execute("SELECT min(id) FROM accounts").fetchone()[0]
        items = [GOOD] * COUNTS.get(mode, BURST)
        if mode == "poison":
            items[2] = BAD
        numbers = [
            connection.execute(
                "INSERT INTO orders (user_id, item, quantity, created_at) VALUES (?, ?, 1, ?)",
                (user, item, moment),
            ).lastrowid
            for item in items
        ]
    return NEXT[mode].format(bad=numbers[2])


def main(argv: list[str] | None = None) -> int:
    """Change the demo's orders; 1 after one line when there is no demo to do it in."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo.orders", description=__doc__)
    parser.add_argument("mode", choices=MODES)
    mode = parser.parse_args(argv).mode
    try:
        print(change(database(), mode))
    except (DemoError, sqlite3.Error) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
