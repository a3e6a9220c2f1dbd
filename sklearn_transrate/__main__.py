"""``python -m sklearn_transrate`` is the command line."""

from __future__ import annotations

import sys

from sklearn_transrate.cli import main

if __name__ == "__main__":
    sys.exit(main())
