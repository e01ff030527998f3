"""Ticket 203: tables for exotic plants."""

from __future__ import annotations

from ...common.db import Connection
from ...migrations import Migration, Work

PLANTS = [
    ("Corpse flower", "Amorphophallus titanum", "Sumatra", 89000, False, 2),
    ("Ghost orchid", "Dendrophylax lindenii", "Cuba", 54000, True, 3),
    ("Jade vine", "Strongylodon macrobotrys", "Philippines", 12500, False, 11),
    ("Parrot's beak", "Lotus berthelotii", "Canary Islands", 4800, False, 25),
    ("Queen of the Andes", "Puya raimondii", "Peru", 31000, False, 4),
    ("Venus slipper", "Paphiopedilum rothschildianum", "Borneo", 67000, True, 1),
]


def up(work: Work) -> None:
    """Create the tables and the first plants."""
    database = work.connection
    work.step(
        "create exotic_plants",
        f"CREATE TABLE exotic_plants ({database.identity()}, name TEXT NOT NULL UNIQUE, botanical_name TEXT NOT NULL, "
        "origin TEXT NOT NULL, price_cents INTEGER NOT NULL, permit_needed INTEGER NOT NULL DEFAULT 0)",
    )
    work.step(
        "create exotic_stock",
        "CREATE TABLE exotic_stock (plant_id BIGINT PRIMARY KEY REFERENCES exotic_plants (id), "
        "pieces INTEGER NOT NULL CHECK (pieces >= 0))",
    )
    for name, botanical, origin, price, permit, pieces in PLANTS:
        plant = database.insert(
            "INSERT INTO exotic_plants (name, botanical_name, origin, price_cents, permit_needed) VALUES (?, ?, ?, ?, ?)",
            (name, botanical, origin, price, int(permit)),
        )
        database.execute("INSERT INTO exotic_stock (plant_id, pieces) VALUES (?, ?)", (plant, pieces))
    work.same("exotic plants", database.count("exotic_plants"), len(PLANTS))


def down(work: Work) -> None:
    """Drop the tables."""
    work.step("drop exotic_stock", "DROP TABLE exotic_stock")
    work.step("drop exotic_plants", "DROP TABLE exotic_plants")


def lost(connection: Connection) -> dict[str, int]:
    """Count the exotic plants and their stock entries."""
    return {table: connection.count(table) for table in ("exotic_plants", "exotic_stock")}


MIGRATION = Migration(
    id="r2-203-exotic-catalog",
    release=2,
    ticket="203",
    description="tables for exotic plants and their stock",
    up=up,
    down=down,
    lost=lost,
)
