"""SQLAlchemy: the event `do_connect` comes before each new connection and may change how it is made."""

from sqlalchemy import create_engine, event, text

from login import conninfo
from statements import run_statements

engine = create_engine("postgresql+psycopg://", pool_recycle=180)


@event.listens_for(engine, "do_connect")
def read_login(dialect, record, arguments, parameters):
    arguments[:] = [conninfo()]


def discard(session):
    session.invalidate()
    session.close()


run_statements(
    open_session=engine.connect,
    query=lambda session, statement: session.execute(text(statement)).scalar(),
    discard=discard,
)
