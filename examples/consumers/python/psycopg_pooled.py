"""psycopg_pool 3.3 or newer: `conninfo` may be a function, which is called for each new connection."""

from psycopg_pool import ConnectionPool

from login import conninfo
from statements import run_statements

pool = ConnectionPool(conninfo, min_size=0, max_size=10, max_lifetime=180, timeout=10, open=False)

with pool:
    run_statements(
        open_session=pool.getconn,
        query=lambda session, statement: session.execute(statement).fetchone()[0],
        discard=lambda session: None,  # never given back, so that the next one is new as well
    )
