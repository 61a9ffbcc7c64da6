// What the application of the preview tells of itself.

/** Instants are milliseconds since the epoch; a token is the beginning of its hash. */
export interface Login {
  readonly at: number;
  readonly token: string;
  readonly host: string;
  readonly user: string;
  /** The preview's own migration has run on this branch. */
  readonly migrated: boolean;
  /** Rows that this branch has of production. */
  readonly products: number;
}

export interface Diary {
  readonly pod: string;
  /** When the mounted token was another one. */
  readonly files: { readonly at: number; readonly token: string }[];
  readonly logins: Login[];
  readonly failures: { readonly at: number; readonly token: string; readonly message: string }[];
}
