"""Runs a command with DATABASE_URL set to a PostgreSQL server, started for it where none answers.

on_postgres.py python -m pytest tests -m "not process"
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.servers import Postgres


def main(command: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder))
        try:
            env = {
                **os.environ,
                "DATABASE_URL": server.database("postgres"),
                "TEST_POSTGRES_URL": server.url,
            }
            return subprocess.run(command, env=env, check=False).returncode
        finally:
            server.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
