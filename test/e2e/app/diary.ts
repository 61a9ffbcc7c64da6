// What the application of the preview tells of itself.

/** Instants are milliseconds since the epoch; a token is the beginning of its hash. */
export interface Login {
  readonly at: number;
  readonly token: string;
  readonly host: string;
  readonly user: string;
  /** Rows of its table; absent before the migration. */
  readonly notes?: number;
}

export interface Diary {
  readonly pod: string;
  /** When the mounted token was another one. */
  readonly files: { readonly at: number; readonly token: string }[];
  readonly logins: Login[];
  readonly failures: { readonly at: number; readonly token: string; readonly message: string }[];
}
