import { inspect } from 'node:util';

/** A credential in flight. Printing one, on purpose or by accident, prints a placeholder. */
export class Token {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The only way out: called where a request header, a login or the Secret is built, and nowhere else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[token]';
  }

  toJSON(): string {
    return '[token]';
  }

  [inspect.custom](): string {
    return '[token]';
  }
}
