"""Generated files are what they would be now."""

from __future__ import annotations

import pytest

from include.release import lock_images, schemas


@pytest.mark.parametrize("name", schemas.MODELS)
def test_schemas_are_current(name):
    path = schemas.FOLDER / f"{name}.schema.json"
    assert path.read_text() == schemas.schema_text(schemas.MODELS[name]), "python -m include.release.schemas"


def test_the_lock_file_is_current():
    assert lock_images.main(["--check"]) == 0, "make images"
