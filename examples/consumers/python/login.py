"""What the mounted Secret says now."""

import os
from pathlib import Path

from psycopg.conninfo import make_conninfo

FOLDER = Path(os.environ.get("DATABASE_DIR", "/var/run/db"))


def conninfo() -> str:
    """Read from one file, so that host and password belong together even while the Secret is switched."""
    ca = FOLDER / "certificates"
    root = str(ca) if ca.exists() else "system"
    return make_conninfo((FOLDER / "uri").read_text(), sslmode="verify-full", sslrootcert=root)
