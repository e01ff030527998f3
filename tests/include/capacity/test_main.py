"""The plan on the command line."""

from __future__ import annotations

import pytest

from include.capacity.__main__ import main
from include.release.loading import CONFIG_SETTING, RELEASES_SETTING, shown_path
from tests.include.capacity.conftest import change


@pytest.fixture(autouse=True)
def project(sources, monkeypatch):
    monkeypatch.setenv(RELEASES_SETTING, str(sources.releases))
    monkeypatch.setenv(CONFIG_SETTING, str(sources.config))


def test_the_plan_is_printed(capsys):
    assert main(["release-2"]) == 0
    said = capsys.readouterr().out
    assert "app-deployment: 7 x 320Mi, 250m\n" in said
    assert "In all: 8 pods, which ask for 3520 MiB memory and 2250m CPU." in said


def test_the_name_of_the_file_will_do_too(capsys):
    for name in ("release-2.yaml", "include/releases/release-2.yaml"):
        assert main([name]) == 0
        assert "app-deployment: 7 x 320Mi" in capsys.readouterr().out


def test_an_unknown_release_names_those_there_are(sources, capsys):
    with pytest.raises(SystemExit):
        main(["release-7.yaml"])
    assert (
        f"no release release-7 in {shown_path(sources.releases)}, only: release-1, release-2"
        in capsys.readouterr().err
    )


def test_what_is_wrong_goes_to_stderr(sources, capsys):
    change(sources.releases / "release-2.yaml", ("      users: 500", "      users: 0"))
    assert main(["release-2", "qa"]) == 1
    assert "a number above 0" in capsys.readouterr().err


def test_an_unknown_environment_names_those_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["release-2", "moon"])
    assert "no environment moon, only qa, production, payments" in capsys.readouterr().err
