"""psycopg 3 without a pool: read the file, connect."""

import psycopg

from login import conninfo
from statements import run_statements


def connect():
    return psycopg.connect(conninfo(), autocommit=True)


run_statements(
    open_session=connect,
    query=lambda session, statement: session.execute(statement).fetchone()[0],
    discard=lambda session: session.close(),
)
