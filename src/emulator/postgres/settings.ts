// The configuration of every instance: small, reachable by its private socket only, and ready for archiving.

/**
 * Written anew before each start, so that an instance made by an older emulator follows too.
 *
 * `fsync = off`: what was committed survives the death of any process, which is what a local emulator promises; it
 * may not survive a power failure or a crash of the machine. `full_page_writes` stays on, for copies of a running
 * instance need it. Statements stay out of the log, because they may hold secrets.
 *
 * Archiving is a second name for a finished segment: it costs no time and no space, as long as PostgreSQL never writes
 * into an old segment again, hence `wal_recycle = off`.
 */
export const configuration = `listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 32MB
maintenance_work_mem = 32MB
wal_buffers = 1MB
huge_pages = off
jit = off
max_worker_processes = 4
autovacuum_max_workers = 1
wal_level = replica
max_wal_senders = 2
max_replication_slots = 16
min_wal_size = 32MB
max_wal_size = 256MB
wal_recycle = off
wal_init_zero = off
archive_mode = on
archive_command = 'ln -f "%p" "../wal/%f"'
fsync = off
full_page_writes = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_min_error_statement = panic
log_checkpoints = off
datestyle = 'iso, mdy'
default_text_search_config = 'pg_catalog.english'
lc_messages = 'C'
`;

/** The folder of the socket lets nobody in but the emulator, and the proxy has checked who asks. */
export const authentication = `local all all trust\n`;

/**
 * For the first start of a branch from the past: replays until the last record before `lsn`, then goes on as a timeline
 * of its own. Not inclusive, for that would replay the record that begins at `lsn`, which may be a later commit. The
 * segments lie in `replay` beside the data directory.
 */
export const recoverySettings = (lsn: string, timeline: number): string[] => [
  `restore_command=cp "../replay/%f" "%p"`,
  `recovery_target_lsn=${lsn}`,
  `recovery_target_inclusive=off`,
  `recovery_target_timeline=${timeline}`,
  `recovery_target_action=promote`,
  `hot_standby=off`,
];

/** Small, so that a fork copies little and archives stay fine-grained. */
export const walSegmentMegabytes = 4;
