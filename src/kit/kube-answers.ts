// What the API server's answers say: Status bodies, Retry-After, and the lines of a watch.
import type { IncomingHttpHeaders } from 'node:http';
import {
  apiVersionOf,
  KubeError,
  type KubeObject,
  type KubeStatus,
  type ResourceType,
  type WatchEvent,
} from './kube.ts';

const longestForeignText = 512;

/** The Status of a refusal; a proxy in between may answer in anything else, of which the beginning is kept. */
export function statusOf(text: string): KubeStatus {
  try {
    const parsed = JSON.parse(text) as unknown;
    if (typeof parsed === 'object' && parsed !== null) return parsed as KubeStatus;
  } catch {
    // Not JSON: not from the API server itself.
  }
  return { message: text.slice(0, longestForeignText) };
}

/** In ms; from the Status, else from the header, which is a number of seconds or a date. */
export function retryAfterOf(status: KubeStatus, headers: IncomingHttpHeaders, now: Date): number | undefined {
  const header = headers['retry-after'];
  const seconds = status.details?.retryAfterSeconds ?? (header === undefined ? NaN : Number(header));
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const instant = Date.parse(header ?? '');
  return Number.isNaN(instant) ? undefined : Math.max(0, instant - now.getTime());
}

/**
 * A PATCH that names another uid is refused as 422, because the uid would change; a PUT as 409. Both mean that the object
 * is not the one that was seen, so both are a Conflict.
 */
export function withUidConflict(error: unknown): unknown {
  if (!(error instanceof KubeError) || error.code !== 422) return error;
  if (!error.status.details?.causes?.some(({ field }) => field === 'metadata.uid')) return error;
  const status = { ...error.status, code: 409, reason: 'Conflict', message: 'the object has another uid' };
  return new KubeError('PATCH', 409, status);
}

/** The items of core lists come without apiVersion and kind, although everything that refers to them needs both. */
export function named<T extends KubeObject>(type: ResourceType, object: T): T {
  return { ...object, apiVersion: apiVersionOf(type), kind: type.kind };
}

/** One line of a watch. Throws KubeError for an ERROR event. */
export function watchEvent<T extends KubeObject>(type: ResourceType, line: string): WatchEvent<T> {
  const event = JSON.parse(line) as { type: WatchEvent<T>['type'] | 'ERROR'; object: T & KubeStatus };
  if (event.type !== 'ERROR') return { type: event.type, object: named<T>(type, event.object) };
  const { object: status } = event;
  throw new KubeError(`WATCH ${type.plural}`, status.code ?? 500, status, retryAfterOf(status, {}, new Date(0)));
}

/** Splits chunks into lines; characters and lines may be cut anywhere. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
}
