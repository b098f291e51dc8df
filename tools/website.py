"""Jupyter Book as `make book` runs it, a second sooner.

To look at _config.yml it loads jsonschema, and that loads rfc3987_syntax where it is installed,
which makes 38 parsers: for a kind of address that nothing here asks for.
"""

import sys

if __name__ == "__main__":
    sys.modules["rfc3987_syntax"] = None  # as if it were not installed
    from jupyter_book.cli.main import main

    main()
