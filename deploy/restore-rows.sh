#!/usr/bin/env bash
# Copies rows from one database to another, by the logins in two Secrets: from the branch of a PointInTimeRestore, say,
# back to the database where they were deleted. All tables in one transaction: either all of it is done, or nothing.
# Needs kubectl, psql and pg_dump, the latter no older than the databases. How to use it: docs/restores.md.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: restore-rows.sh --from NAMESPACE/SECRET --to NAMESPACE/SECRET --table TABLE [--table TABLE ...]
                       [--only-missing] [--yes]

  --from, --to     Secrets with host, database, username and password; port, sslmode and certificates if need be
  --table          like final_entities or sales.orders; it has to be in both databases
  --only-missing   for tables that have rows: adds those whose key is not there, and leaves all others as they are
  --yes            does not ask before it writes
TEXT
}

fail() {
  printf 'restore-rows: %s\n' "$1" >&2
  exit 1
}

from='' to='' only_missing='' yes=''
tables=()
while [ $# -gt 0 ]; do
  case $1 in
    --from | --to | --table)
      [ $# -ge 2 ] && [ -n "$2" ] || fail "$1 needs a value. See --help."
      case $1 in --from) from=$2 ;; --to) to=$2 ;; --table) tables+=("$2") ;; esac
      shift 2
      ;;
    --only-missing) only_missing=1 && shift ;;
    --yes) yes=1 && shift ;;
    -h | --help) usage && exit ;;
    *) fail "$1 is not known. See --help." ;;
  esac
done
for secret in "$from" "$to"; do
  [[ $secret =~ ^[^/]+/[^/]+$ ]] || fail "--from and --to are needed, each as NAMESPACE/SECRET. See --help."
done
[ "${#tables[@]}" -gt 0 ] || fail "at least one --table is needed. See --help."
for program in kubectl psql pg_dump; do
  command -v "$program" >/dev/null || fail "$program is not installed, or not in PATH."
done

# Passwords go from here to psql and pg_dump: no command line, no variable of a process and no output shows them.
umask 077
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# Nothing of the caller's shell may decide which database is written to.
for name in $(compgen -e PG || true); do unset "$name"; done
export PGSERVICEFILE=$dir/services PGAPPNAME=restore-rows PGCONNECT_TIMEOUT=30

# read_secret from|to NAMESPACE/SECRET: adds a service of that name, and leaves the host in from_host or to_host.
read_secret() {
  local fields host database key
  fields=$dir/$1
  kubectl -n "${2%/*}" get secret "${2#*/}" -o 'go-template={{range $key, $value := .data}}{{$key}} {{$value}}{{"\n"}}{{end}}' >"$fields" ||
    fail "Secret $2 cannot be read: is it there, and may you read it?"
  field() { awk -v key="$1" '$1 == key { print $2 }' "$fields" | base64 -d; }
  host=$(field host) database=$(field database | grep . || field dbname)
  [ -n "$host" ] && [ -n "$database" ] && [ -n "$(field username)" ] && [ -n "$(field password)" ] ||
    fail "Secret $2 lacks one of host, database, username and password. It has: $(awk '{ print $1 }' "$fields" | xargs)"
  [[ $host =~ ^[A-Za-z0-9.:_-]+$ ]] || fail "host in Secret $2 is not the name or address of one host."
  # A second line would be read as further options, maybe of the other database.
  for key in database dbname username port sslmode password; do
    [[ $(field "$key") != *[[:cntrl:]]* ]] || fail "$key in Secret $2 has more than one line, or control characters."
  done
  # In a file of its own: tokens are longer than a line of a service file may be.
  printf '*:*:*:*:%s\n' "$(field password | sed 's/[\\:]/\\&/g')" >"$dir/$1.password"
  {
    printf '[%s]\nhost=%s\nport=%s\n' "$1" "$host" "$(field port | grep . || echo 5432)"
    printf 'dbname=%s\nuser=%s\npassfile=%s\n' "$database" "$(field username)" "$dir/$1.password"
    printf 'sslmode=%s\n' "$(field sslmode | grep . || echo require)"
    if [ -n "$(field certificates)" ]; then
      field certificates >"$dir/$1.crt"
      printf 'sslrootcert=%s\n' "$dir/$1.crt"
    fi
  } >>"$PGSERVICEFILE"
  printf -v "$1_host" %s "$host"
}
from_host='' to_host=''
read_secret from "$from"
read_secret to "$to"

# A pooled host of Lakebase is that of the endpoint with -pooler behind the first label.
same_host() {
  local a b
  a=$(printf %s "${1%.}" | tr '[:upper:]' '[:lower:]' | sed 's/-pooler\././')
  b=$(printf %s "${2%.}" | tr '[:upper:]' '[:lower:]' | sed 's/-pooler\././')
  [ "$a" = "$b" ]
}
if same_host "$from_host" "$to_host"; then
  fail "both Secrets lead to $to_host: rows would be copied onto themselves. --from is the restored branch, --to the database that misses rows."
fi

# ask from|to TABLE: runs the SQL from standard input there, with the table as :'table'.
ask() { psql -X -A -t -q -v ON_ERROR_STOP=1 -v "table=$2" -f - "service=$1"; }
count() { printf "SELECT format('SELECT count(*) FROM %%s', :'table'::regclass) \\gexec\n" | ask "$1" "$2"; }

full_names=() before=() dump_options=()
printf 'from  %s   Secret %s\nto    %s   Secret %s\n\n' "$from_host" "$from" "$to_host" "$to"
for table in "${tables[@]}"; do
  # As PostgreSQL writes it, so that both databases and pg_dump mean the same table.
  full=$(ask from "$table" <<'SQL'
SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = :'table'::regclass
SQL
  ) || fail "table $table cannot be found in the database of Secret $from."
  there=$(count from "$full") || fail "table $full cannot be read in the database of Secret $from."
  here=$(count to "$full") || fail "table $full cannot be read in the database of Secret $to."
  printf '%-40s %s rows at the source, %s rows at the target\n' "$full" "$there" "$here"
  if [ -z "$only_missing" ] && [ "$here" -gt 0 ]; then
    fail "$full has $here rows at the target already. To add those that are missing there, by their primary key: --only-missing."
  fi
  if [ -n "$only_missing" ]; then
    key=$(ask to "$full" <<<"SELECT count(*) FROM pg_index WHERE indrelid = :'table'::regclass AND indisprimary")
    [ "$key" -gt 0 ] || fail "$full has no primary key at the target, so nothing tells which rows are missing. Copy it into an empty table, and compare by hand."
  fi
  # A sequence stays where it is: set back, it would give out numbers that were given out since.
  sequences=$(ask from "$full" <<'SQL'
SELECT format('%I.%I', nspname, relname) FROM pg_depend d
JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = relnamespace
WHERE d.classid = 'pg_class'::regclass AND d.refobjid = :'table'::regclass AND d.deptype IN ('a', 'i')
SQL
  ) || fail "the sequences of $full cannot be read in the database of Secret $from."
  while read -r sequence; do
    [ -z "$sequence" ] || dump_options+=("--exclude-table-data=$sequence")
  done <<<"$sequences"
  dump_options+=("--table-and-children=$full")
  full_names+=("$full") before+=("$here")
done
if [ -n "$only_missing" ]; then dump_options+=(--on-conflict-do-nothing --rows-per-insert=1000); fi

if [ -z "$yes" ]; then
  printf '\nCopy these rows to %s? Type yes: ' "$to_host"
  read -r answer || answer=''
  [ "$answer" = yes ] || fail "nothing was written."
fi

# COMMIT is sent only when the dump is complete. A dump that breaks off ends the session, and with it the transaction.
# psql ends with 3 when the database has refused something, and has noted in a file whether COMMIT was about to be sent by
# then: any other end after that, by a lost connection or a signal, leaves open what became of it.
{
  echo 'BEGIN;'
  pg_dump --data-only --no-owner "${dump_options[@]}" -d service=from &&
    printf '\\o %s\n\\qecho\n\\o /dev/null\nCOMMIT;\n' "'$dir/committing'"
} | { psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -f - service=to || { echo "$?" >"$dir/code" && false; }; } || {
  if [ -e "$dir/committing" ] && [ "$(cat "$dir/code" 2>/dev/null)" != 3 ]; then
    fail "the connection was lost, or psql was ended, during COMMIT, so it is not known whether the rows were written: all of them, or none. Run this again: if they were, it says so and writes nothing."
  fi
  fail "nothing was written: the transaction was rolled back. What stopped it stands above."
}

echo
for index in "${!full_names[@]}"; do
  after=$(count to "${full_names[$index]}") || fail "the rows were written; only ${full_names[$index]} could not be counted afterwards."
  printf '%-40s %s rows before, %s rows now\n' "${full_names[$index]}" "${before[$index]}" "$after"
done
