// The shape of a row in a route table.
import type { Answer, Call } from '../call.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** `{name}` stands for one segment. */
  readonly path: string;
  readonly handle: (call: Call) => Answer | Promise<Answer>;
}

/** Of the management API. */
export const apiPrefix = '/api/2.0/postgres';
