"""The command line: arguments in, public functions called, tables out.

Tables go to standard output, everything else to standard error. The exit status is
0 if all went well, 1 if something failed, and 2 if the arguments make no sense.
"""

from sklearn_transrate.cli._app import main

__all__ = ["main"]
