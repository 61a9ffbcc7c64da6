// Names inside every instance.

/** The superuser that initdb makes. Only the emulator itself uses it; nobody can log in with it through the proxy. */
export const instanceSuperuser = 'lakebranch_superuser';

/** The group behind the membership role DATABRICKS_SUPERUSER. */
export const superuserGroup = 'databricks_superuser';

export const defaultDatabase = 'databricks_postgres';

/** Databases that every instance has and needs, and that the API does not show. */
export const builtInDatabases: readonly string[] = ['postgres', 'template0', 'template1'];

/** Roles that every instance has and needs, and that the API does not show. */
export const builtInRoles: readonly string[] = [instanceSuperuser, superuserGroup];
