// Which running query a cancel request means. Clients get keys of the proxy's own, so that a request finds its
// instance without a login, and the keys of the instances stay private.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { encodeCancel } from './messages.ts';
import type { BackendKey } from './messages.ts';

/** A fresh connection to the instance that runs the session. */
type Connect = () => Promise<Socket>;

interface Target {
  readonly key: BackendKey;
  readonly connect: Connect;
}

export class CancelKeys {
  readonly #targets = new Map<string, Target>();

  /**
   * The key to give to the client in place of the real one. The process id stays: clients compare it with
   * `pg_backend_pid()` and with the sender of notifications.
   */
  register(key: BackendKey, connect: Connect): BackendKey {
    const given = { processId: key.processId, secret: randomBytes(4) };
    this.#targets.set(nameOf(given), { key, connect });
    return given;
  }

  forget(given: BackendKey): void {
    this.#targets.delete(nameOf(given));
  }

  /** Passes a cancel request on, and resolves once the instance has taken it. An unknown key is ignored. */
  async cancel(given: BackendKey): Promise<void> {
    const target = this.#targets.get(nameOf(given));
    if (!target) return;
    const backend = await target.connect();
    const closed = new Promise<void>((resolve) => backend.once('close', () => resolve()));
    backend.on('error', () => backend.destroy());
    backend.end(encodeCancel(target.key));
    backend.resume();
    await closed;
  }
}

const nameOf = (key: BackendKey): string => `${key.processId}/${key.secret.toString('hex')}`;
