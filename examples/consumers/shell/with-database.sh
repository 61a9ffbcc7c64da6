#!/bin/sh
# Runs a program of libpq (psql, pg_dump, pg_restore, a migration tool) with the login that the mounted Secret holds now:
#   with-database.sh psql -c 'SELECT current_user'
# The login is good for as long as the program keeps its sessions; one that connects again later has to be run again.
set -eu

folder=${DATABASE_DIR:-/var/run/db}

# All files of one moment: read again if the Secret was switched meanwhile.
while
  moment=$(readlink "$folder/..data")
  PGHOST=$(cat "$folder/host") PGPORT=$(cat "$folder/port") PGDATABASE=$(cat "$folder/database")
  PGUSER=$(cat "$folder/username") PGPASSWORD=$(cat "$folder/password")
  [ "$moment" != "$(readlink "$folder/..data")" ]
do :; done
: "${PGHOST:?is missing: no login in $folder}" "${PGPASSWORD:?is missing: no login in $folder}"

PGSSLMODE=verify-full
PGSSLROOTCERT=system # since libpq 16; before that the path of a file with the public authorities
if [ -e "$folder/certificates" ]; then PGSSLROOTCERT=$folder/certificates; fi
export PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD PGSSLMODE PGSSLROOTCERT

exec "$@"
