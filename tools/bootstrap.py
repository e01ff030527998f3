"""Find a Python that can run this project and hand over to ``tools/make_venv.py``, which makes ``.venv``.

Started by make with whatever ``python3`` the machine has, so this file stays readable for Python 3.6:
an old interpreter must be able to say that it is too old.
"""

import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
PROBE = "import sys; print('%d.%d' % sys.version_info[:2]); import ssl, sqlite3, venv, ensurepip; print('ok')"
HERE = os.path.dirname(os.path.abspath(__file__))


def fail(message):
    """Print one line and end with status 1."""
    sys.stderr.write("error: %s\n" % message)
    sys.exit(1)


def probe(command):
    """Return (path, version as 'X.Y' or '', the missing module or '') of the interpreter ``command``."""
    path = shutil.which(command)
    if path is None:
        return None, "", ""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONPATH")}
    done = subprocess.run(
        [path, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, check=False
    )
    out = done.stdout.decode(errors="replace").split()
    if not out:  # a pyenv shim of a version that is not active, a broken link
        return path, "", ""
    if "ok" in out:
        return path, out[0], ""
    return (
        path,
        out[0],
        done.stderr.decode(errors="replace").strip().rpartition("No module named ")[2].strip("'\""),
    )


def is_supported(version):
    """Whether 'X.Y' is in the supported range."""
    parts = version.split(".")
    return len(parts) == 2 and OLDEST <= (int(parts[0]), int(parts[1])) <= NEWEST


def advice(version, missing):
    """The one line for an interpreter of the right version that lacks a part."""
    if missing in ("venv", "ensurepip"):
        fix = "on Debian or Ubuntu: sudo apt install python%s-venv" % version
    else:
        fix = "install a complete Python %s" % version
    return "Python %s here has no module %s; %s, then run make again" % (version, missing, fix)


def choose(asked):
    """The path of the interpreter to use; ``asked`` is what the user named with PYTHON=, or ''."""
    span = "Python %d.%d to %d.%d" % (OLDEST + NEWEST)
    if asked:
        path, version, missing = probe(asked)
        if path is None:
            fail("PYTHON=%s is not found; name a %s, e.g. make demo PYTHON=python3.12" % (asked, span))
        if not is_supported(version):
            fail("needs %s, but PYTHON=%s is %s" % (span, asked, version or "not a working Python"))
        if missing:
            fail(advice(version, missing))
        return path
    lacking = ""
    names = [sys.executable] + ["python3.%d" % minor for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    for name in names:
        path, version, missing = probe(name)
        if path is not None and is_supported(version):
            if not missing:
                return path
            lacking = lacking or advice(version, missing)
    found = "%d.%d" % sys.version_info[:2]
    fail(
        lacking
        or "needs %s, found %s; install one (Debian or Ubuntu: sudo apt install python3.11 python3.11-venv)"
        " or name it: make demo PYTHON=python3.12"
        % (span, found)
    )


def main():
    """Check the system, choose the interpreter and replace this process by the next step."""
    if not sys.platform.startswith("linux"):
        system = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, sys.platform)
        fail(
            "the demo and the tests run on Linux only (this is %s): use a Linux machine or VM,"
            " or docker compose up (see README.md)" % system
        )
    asked = os.environ.get("PYTHON", "").strip()
    chosen = choose(asked)
    for name in ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__"):
        os.environ.pop(name, None)
    os.execv(chosen, [chosen, os.path.join(HERE, "make_venv.py")] + sys.argv[1:])


if __name__ == "__main__":
    main()
