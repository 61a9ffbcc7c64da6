// The port once more, with a record of every call: for metrics and for the log.
import type { Clock } from '../kit/clock.ts';
import type { LakebaseClient } from './client.ts';
import { LakebaseError, type LakebaseErrorCode } from './errors.ts';

/** The verbs that may reach the provider, by their names in the port. */
export const verbs = [
  'getProject',
  'listBranches',
  'getBranch',
  'createBranch',
  'setExpiration',
  'deleteBranch',
  'listEndpoints',
  'resizeEndpoint',
  'listRoles',
  'createRole',
  'setRoleMembership',
  'mintCredential',
  'getOperation',
  'principal',
] as const satisfies readonly Exclude<keyof LakebaseClient, 'host' | 'clockOffsetMs'>[];
export type Verb = (typeof verbs)[number];

export interface CallRecord {
  readonly verb: Verb;
  readonly outcome: 'ok' | LakebaseErrorCode;
  /** From call to result, repetitions included. */
  readonly seconds: number;
}

export interface CallFailure {
  readonly verb: Verb;
  readonly code: LakebaseErrorCode;
  readonly message: string;
  readonly status: number | undefined;
  /** What the provider's support asks for. */
  readonly traceId: string | undefined;
}

export interface CallObserver {
  onCall(record: CallRecord): void;
  /** After `onCall`; says what a log line needs. */
  onFailure?(failure: CallFailure): void;
}

/** Changes nothing of what the calls do. */
export function instrumented(client: LakebaseClient, clock: Clock, observer: CallObserver): LakebaseClient {
  const observed =
    <A extends unknown[], R>(verb: Verb, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const startedAtMs = clock.monotonicMs();
      const record = (outcome: CallRecord['outcome']): void =>
        observer.onCall({ verb, outcome, seconds: (clock.monotonicMs() - startedAtMs) / 1000 });
      try {
        const result = await call(...args);
        record('ok');
        return result;
      } catch (error) {
        if (error instanceof LakebaseError) {
          record(error.code);
          observer.onFailure?.(failureOf(verb, error));
        }
        throw error;
      }
    };
  return {
    host: client.host,
    getProject: observed('getProject', client.getProject.bind(client)),
    listBranches: observed('listBranches', client.listBranches.bind(client)),
    getBranch: observed('getBranch', client.getBranch.bind(client)),
    createBranch: observed('createBranch', client.createBranch.bind(client)),
    setExpiration: observed('setExpiration', client.setExpiration.bind(client)),
    deleteBranch: observed('deleteBranch', client.deleteBranch.bind(client)),
    listEndpoints: observed('listEndpoints', client.listEndpoints.bind(client)),
    resizeEndpoint: observed('resizeEndpoint', client.resizeEndpoint.bind(client)),
    listRoles: observed('listRoles', client.listRoles.bind(client)),
    createRole: observed('createRole', client.createRole.bind(client)),
    setRoleMembership: observed('setRoleMembership', client.setRoleMembership.bind(client)),
    mintCredential: observed('mintCredential', client.mintCredential.bind(client)),
    getOperation: observed('getOperation', client.getOperation.bind(client)),
    principal: observed('principal', client.principal.bind(client)),
    clockOffsetMs: () => client.clockOffsetMs(),
  };
}

const failureOf = (verb: Verb, { code, message, details }: LakebaseError): CallFailure => ({
  verb,
  code,
  message,
  status: details.status,
  traceId: details.traceId,
});
