// Parts of request bodies that several resources share.
import { z } from 'zod';
import { Refusal } from './errors.ts';
import { parseDuration, parseTimestamp } from './format.ts';
import { largestCU, largestSpreadCU, smallestCU, suspendSeconds } from './limits.ts';
import type { EndpointSizes } from './state.ts';

/** Seconds out of `"3600s"`. */
export const durationField = z.string().transform((text, context) => {
  const seconds = parseDuration(text);
  if (seconds !== undefined) return seconds;
  context.addIssue({ code: 'custom', message: `"${text}" is not a duration in seconds such as "3600s"` });
  return z.NEVER;
});

/** Milliseconds since the epoch out of RFC 3339. */
export const timestampField = z.string().transform((text, context) => {
  const instant = parseTimestamp(text);
  if (instant !== undefined) return instant;
  context.addIssue({ code: 'custom', message: `"${text}" is not an RFC 3339 time with a zone` });
  return z.NEVER;
});

const longestNameBytes = 63;

/** The name of a role or database in Postgres, which would cut off a longer one without a word. */
export const postgresNameField = z
  .string()
  .refine((name) => Buffer.byteLength(name) <= longestNameBytes, `must have at most ${longestNameBytes} bytes`);

export const sizesFields = {
  autoscaling_limit_min_cu: z.number().min(smallestCU).max(largestCU).optional(),
  autoscaling_limit_max_cu: z.number().min(smallestCU).max(largestCU).optional(),
  suspend_timeout_duration: durationField
    .refine(
      (seconds) => seconds >= suspendSeconds.least && seconds <= suspendSeconds.most,
      `must lie between ${suspendSeconds.least}s and ${suspendSeconds.most}s`,
    )
    .optional(),
  no_suspension: z.literal(true, 'must be true where it is given').optional(),
};

export interface SizesInput {
  readonly autoscaling_limit_min_cu?: number | undefined;
  readonly autoscaling_limit_max_cu?: number | undefined;
  readonly suspend_timeout_duration?: number | undefined;
  readonly no_suspension?: true | undefined;
}

/** `current` with what the request names; refuses an impossible range. */
export function changedSizes(current: EndpointSizes, input: SizesInput, path: string): EndpointSizes {
  const { suspend_timeout_duration: suspend, no_suspension: never } = input;
  if (suspend !== undefined && never) {
    throw new Refusal('invalidField', {
      field: `${path}.suspension`,
      problem: 'only one of suspend_timeout_duration and no_suspension can be set',
    });
  }
  const changed: EndpointSizes = {
    minCU: input.autoscaling_limit_min_cu ?? current.minCU,
    maxCU: input.autoscaling_limit_max_cu ?? current.maxCU,
    suspendSeconds: never ? undefined : (suspend ?? current.suspendSeconds),
  };
  checkRange(changed, path);
  return changed;
}

function checkRange({ minCU, maxCU }: EndpointSizes, path: string): void {
  const field = `${path}.autoscaling_limit_max_cu`;
  if (maxCU < minCU) throw new Refusal('invalidField', { field, problem: 'must not be smaller than the minimum' });
  if (maxCU - minCU > largestSpreadCU) {
    throw new Refusal('invalidField', { field, problem: `must be at most ${largestSpreadCU} above the minimum` });
  }
}
