"""``python -m include.records``: the records on the command line."""

import sys

from include.records.cli import main

if __name__ == "__main__":
    sys.exit(main())
