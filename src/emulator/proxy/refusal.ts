/** Ends a connection with a PostgreSQL error that the client shows to its user. */
export class Refusal extends Error {
  /** Five characters, see appendix A of the PostgreSQL manual. */
  readonly sqlState: string;

  constructor(sqlState: string, message: string) {
    super(message);
    this.sqlState = sqlState;
  }
}
