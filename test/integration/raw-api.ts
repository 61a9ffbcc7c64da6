// The API server as kubectl sees it, with the query parameters that the operator's own client has no use for.
import { Agent, fetch } from 'undici';
import type { KubeObject, KubeStatus } from '../../src/kit/kube.ts';
import type { SharedControlPlane } from '../control-plane/shared.ts';

export interface Answer {
  readonly code: number;
  /** An object, or a Status when the request was refused. */
  readonly body: KubeObject & KubeStatus & Record<string, unknown>;
  /** What kubectl would print as a warning. */
  readonly warning: string | undefined;
}

export interface RawRequest {
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
}

/** Requests as cluster admin; unknown fields are refused, as kubectl has it. */
export class RawApi {
  readonly #url: string;
  readonly #token: string;
  readonly #agent: Agent;

  constructor({ url, ca, adminToken }: Pick<SharedControlPlane, 'url' | 'ca' | 'adminToken'>) {
    this.#url = url;
    this.#token = adminToken;
    this.#agent = new Agent({ connect: { ca } });
  }

  async call(method: string, path: string, request: RawRequest = {}): Promise<Answer> {
    const { body, contentType = 'application/json', accept = 'application/json' } = request;
    const url = new URL(path, this.#url);
    if (method !== 'GET') url.searchParams.set('fieldValidation', 'Strict');
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': contentType, accept },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      dispatcher: this.#agent,
    });
    return {
      code: response.status,
      body: (await response.json()) as Answer['body'],
      warning: response.headers.get('warning') ?? undefined,
    };
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}
