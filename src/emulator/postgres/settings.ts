// The configuration of every instance: small, reachable by its private socket only, and ready for archiving.

/**
 * Written anew before each start, so that an instance made by an older emulator follows too.
 *
 * `fsync = off`: what was committed survives the death of any process, which is what a local emulator promises; it
 * may not survive a power failure or a crash of the machine. `full_page_writes` stays on, for copies of a running
 * instance need it. Statements stay out of the log, because they may hold secrets.
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

/** Small, so that a fork copies little and archives stay fine-grained. */
export const walSegmentMegabytes = 4;
