// Puts the emulator behind the Lakebase client without a socket between them.
import { ConnectionLost, type EmulatorRequest, type EmulatorResponse } from '../../src/emulator/gateway.ts';
import { TransportError, type Transport } from '../../src/lakebase/transport.ts';

interface Answering {
  handle(request: EmulatorRequest): Promise<EmulatorResponse>;
}

/** Rejects like the network does: a cut connection is a reset, an abort is the reason of the signal. */
export function emulatorTransport(emulator: Answering): Transport {
  return async ({ method, url, headers, body }, signal) => {
    signal.throwIfAborted();
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    aborted.catch(() => {});
    try {
      return await Promise.race([emulator.handle({ method, url, headers, body }), aborted]);
    } catch (error) {
      if (error instanceof ConnectionLost) throw new TransportError('reset', error.message);
      throw error;
    }
  };
}
