"""The product's settings for tests in this process: out of a known environment, not your `.env`.

Only DATABASE_URL and REDIS_URL may be given from outside, so that the suite runs on either
database. Processes that the tests start have an environment of their own (`tests/servers.py`).
"""

import os
import tempfile

from tests.servers import ROOT, clean_env

os.environ.update(
    {
        **clean_env(),
        "DATABASE_URL": os.environ.get("DATABASE_URL", f"sqlite:///{ROOT / 'db.sqlite3'}"),
        "REDIS_URL": os.environ.get("REDIS_URL", ""),
    }
)

from salesagent.settings import *  # noqa: F403
from salesagent.settings import DATABASES

# A file, since threads share one in memory only by a lock that fails instead of waiting; and a
# name of its own, since two runs may meet on one machine.
_name = (
    f"{tempfile.gettempdir()}/salesagent-test-{os.getpid()}.sqlite3"
    if DATABASES["default"]["ENGINE"].endswith("sqlite3")
    else f"salesagent_suite_{os.getpid()}"
)
DATABASES["default"]["TEST"] = {"NAME": _name}

# Templates name static files without `collectstatic` having run.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "voice": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
