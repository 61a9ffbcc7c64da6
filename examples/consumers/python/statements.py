"""Runs each line of standard input as SQL, on a new session and on the one that the first line opened."""

import sys


def run_statements(open_session, query, discard):
    """`query` runs a statement on a session and returns the first value of the first row."""
    held = None
    print("ready", flush=True)
    for statement in sys.stdin:
        held = held or open_session()
        try:
            session = open_session()
            seen = query(session, statement)
            discard(session)
        except Exception as error:
            seen = f"refused ({' '.join(str(error).split())})"
        print(f"new: {seen}, held: {query(held, statement)}", flush=True)
