// Names inside every instance.

/** The superuser that initdb makes. Only the emulator itself uses it; nobody can log in with it through the proxy. */
export const instanceSuperuser = 'lakebranch_superuser';

/** The group behind the membership role DATABRICKS_SUPERUSER. */
export const superuserGroup = 'databricks_superuser';

export const defaultDatabase = 'databricks_postgres';
