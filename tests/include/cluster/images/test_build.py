from pathlib import Path

import pytest

from include.cluster.images import BASE_REFERENCE, BuildError, ImageStore
from include.cluster.images.cli import main


@pytest.fixture
def store(tmp_path):
    return ImageStore(tmp_path / "images")


@pytest.fixture
def context(tmp_path):
    place = tmp_path / "context"
    (place / "src/__pycache__").mkdir(parents=True)
    (place / "src/main.py").write_text("print('hello')\n")
    (place / "src/tool.sh").write_text("#!/bin/sh\n")
    (place / "src/tool.sh").chmod(0o755)
    (place / "src/__pycache__/main.pyc").write_bytes(b"x")
    (place / "src/notes.txt").write_text("not for the image")
    (place / ".dockerignore").write_text("**/*.txt\n")
    return place


DOCKERFILE = """\
ARG PYTHON=3.12-slim
FROM python:${PYTHON} AS base
ARG VERSION=0
ENV PYTHONUNBUFFERED=1 \\
    GREETING="hello $VERSION"
WORKDIR /app
COPY src/ .
FROM base AS web
USER 10001
EXPOSE 8080
LABEL org.example.version="${VERSION}"
CMD ["python3", "main.py"]
FROM web AS published
RUN pip install psycopg
"""


def build(store: ImageStore, context: Path, text: str = DOCKERFILE, **options):
    file = context.parent / "Dockerfile"
    file.write_text(text)
    return store.build(file, context, **options)


def test_builds_the_last_stage_without_run(store, context):
    image = build(store, context, args={"VERSION": "7"})
    files = sorted(
        path.relative_to(image.path).as_posix() for path in image.path.rglob("*") if path.is_file()
    )
    assert files == ["app/main.py", "app/tool.sh"]
    assert image.config["Cmd"] == ["python3", "main.py"]
    assert image.config["User"] == "10001"
    assert image.config["WorkingDir"] == "/app"
    assert "GREETING=hello 7" in image.config["Env"]
    assert image.config["Env"][0].startswith("PATH=/opt/standin/bin:")
    assert image.config["ExposedPorts"] == {"8080/tcp": {}}


def test_digest_is_that_of_the_content(store, context, tmp_path):
    first = build(store, context)
    assert build(ImageStore(tmp_path / "other"), context).digest == first.digest
    (context / "src/main.py").touch()
    assert build(store, context).digest == first.digest
    (context / "src/main.py").chmod(0o755)
    assert build(store, context).digest != first.digest


def test_names_point_at_content_and_digests_stay(store, context):
    old = build(store, context)
    store.tag(old, "registry.example.com/shop:1")
    (context / "src/main.py").write_text("print('new')\n")
    new = build(store, context)
    store.tag(new, "registry.example.com/shop:1")
    resolve = store.resolve
    assert resolve("registry.example.com/shop:1").digest == new.digest
    assert resolve(f"registry.example.com/shop@{old.digest}").digest == old.digest
    assert resolve(f"registry.example.com/shop:9@{old.digest}").digest == old.digest
    assert resolve("registry.example.com/shop:2") is None
    assert resolve(f"registry.example.com/other@{old.digest}") is None


def test_short_names_are_the_long_ones(store, context):
    store.tag(build(store, context), "shop")
    assert store.resolve("docker.io/library/shop:latest") is not None


def test_built_in_base_always_exists(store):
    base = store.resolve(BASE_REFERENCE)
    assert list(base.path.iterdir()) == []
    assert base.config["Cmd"] == ["python3"]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("FROM nothing:1\n", {}, "line 1: there is no image 'nothing:1' here"),
        ("FROM scratch\nRUN true\n", {}, "line 2: every stage runs programs"),
        ("FROM scratch AS a\nRUN true\n", {"target": "a"}, "line 2: RUN is not built here"),
        ("FROM scratch\nCOPY gone .\n", {}, "line 2: COPY gone: there is no such file"),
        ("FROM scratch\nCOPY ../../etc/passwd .\n", {}, "there is no such file"),
        ("FROM scratch AS a\n", {"target": "b"}, "there is no stage 'b'; there are a"),
        ("FROM scratch\nENV =1\n", {}, "line 2: ENV needs name=value"),
        ("COPY a b\n", {}, "line 1: COPY before the first FROM"),
    ],
)
def test_errors_name_the_line(store, context, text, options, expected):
    with pytest.raises(BuildError, match=expected.replace("(", r"\(")):
        build(store, context, text, **options)


def test_command_line(context, tmp_path, capsys):
    (context / "Dockerfile").write_text(DOCKERFILE)
    images = ["--images-dir", str(tmp_path / "images")]
    assert main([*images, "build", str(context), "-t", "shop:1", "--target", "web"]) == 0
    assert main([*images, "list"]) == 0
    listed = dict(line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert listed["docker.io/library/shop:1"].startswith("sha256:")
    assert main([*images, "build", str(tmp_path), "-t", "shop:1"]) == 1
    assert "Dockerfile" in capsys.readouterr().err
