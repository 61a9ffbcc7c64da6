// What the proxy knows of the world around it: endpoints to lead to, and somebody to ask who may pass.
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { LoginVerdict } from '../data-plane.ts';
import type { CancelKeys } from './cancels.ts';

export interface LoginRequest {
  readonly endpointUid: string;
  readonly user: string;
  /** Kept out of every log and error. */
  readonly password: string;
  readonly database: string;
}

export type Authorize = (request: LoginRequest) => Promise<LoginVerdict>;

/** An endpoint as the proxy sees it. */
export interface ProxiedEndpoint {
  readonly uid: string;
  /** A connection to the instance behind it, which is woken if it sleeps. */
  connect(): Promise<Socket>;
  /** Keeps the instance awake until the returned function is called. */
  begin(): () => void;
}

export interface Gate {
  readonly authorize: Authorize;
  readonly secureContext: SecureContext;
  readonly cancels: CancelKeys;
  /** By the name the client asked for in its handshake, else by the address it came to. */
  route(serverName: string | undefined): ProxiedEndpoint | undefined;
  /** No login may begin with this name: it is the superuser of the instances. */
  readonly reservedUser: string;
  /** Why an instance cannot be reached: for the log. Clients learn only that it is so. */
  readonly onUnreachable: (endpointUid: string, error: unknown) => void;
}
