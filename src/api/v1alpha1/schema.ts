// The building blocks of our kinds: zod schemas that say the same to TypeScript and, through scripts/generate.ts, to the
// API server. What zod cannot tell a CRD is said in CEL beside it. Every text, list and map has an upper bound: CEL rules
// are priced by the largest value that the schema allows.
import * as z from 'zod';
import { durationPattern } from '../duration.ts';
import { operatorBranchPattern } from '../pattern.ts';

/** One CEL rule and the sentence for the person whose manifest breaks it: what to write instead. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
  /** Where the API server should point, when it is not the value that the rule stands on. */
  readonly fieldPath?: string;
}

export const withRules = <S extends z.ZodType>(schema: S, ...rules: Rule[]): S => {
  const earlier = (schema.meta()?.['x-kubernetes-validations'] ?? []) as Rule[];
  return schema.meta({ 'x-kubernetes-validations': [...earlier, ...rules] });
};

/** A text for CEL, in single quotes. */
export const celText = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** The CEL expression for "this text matches the RE2 pattern". */
export const celMatches = (pattern: string): string => `self.matches(${celText(pattern)})`;

/** What a person must not change afterwards. Only on required or defaulted fields: elsewhere the rule belongs on the parent. */
export const immutable = (message: string): Rule => ({ rule: 'self == oldSelf', message });

/** Without overflow: the longest of these is far beyond every maximum. */
const boundedDuration = '^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,8}s)?$';

/** A duration between `min` and `max`, all three like `72h`. `name` is what the message calls it. */
export function duration(name: string, min: string, max: string): z.ZodString {
  return withRules(
    z.string().max(32),
    { rule: `self != '' && ${celMatches(durationPattern)}`, message: 'days are not a unit: write 72h' },
    {
      rule:
        `self == '' || !${celMatches(durationPattern)} || (${celMatches(boundedDuration)} && ` +
        `duration(self) >= duration('${min}') && duration(self) <= duration('${max}'))`,
      message: `${name} must be between ${min} and ${max}`,
    },
  );
}

/** Days in each month as far as a pattern can know them; the API server's own parser refuses the rest. */
const timePattern =
  '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$';

/** An instant that a person writes: RFC 3339 with a zone. */
export const instant = (): z.ZodString =>
  withRules(
    z.string().max(64),
    { rule: celMatches(timePattern), message: 'write a time with its zone, like 2026-09-21T22:56:02Z' },
    {
      rule: `!${celMatches(timePattern)} || timestamp(self) > timestamp('2000-01-01T00:00:00Z')`,
      message: 'write a date that exists, like 2026-09-21T22:56:02Z',
    },
  );

/** A position in the write-ahead log, as Postgres writes it. */
export const lsn = (): z.ZodString =>
  withRules(z.string().max(17), {
    rule: celMatches('^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$'),
    message: 'write a position of the write-ahead log as Postgres shows it, like 0/1A2B3C4D',
  });

/** How far a branch of the past may lie before the instant that was asked for. */
export const maxSkew = (): z.ZodString => duration('maxSkew', '1s', '1h');

/** Compute units: the provider sells halves up to 32 with autoscaling, and whole sizes above. */
export const computeUnits = (): z.ZodType<number | string> =>
  withRules(
    z.union([z.int(), z.string().max(8)]).meta({ 'x-kubernetes-int-or-string': true }),
    {
      rule: `type(self) == int || ${celMatches('^[0-9]{1,3}(\\.[05])?$')}`,
      message: 'write compute units as a number in steps of a half: 2, or "0.5" in quotes',
    },
    {
      rule: `(type(self) != int && !${celMatches('^[0-9]{1,3}(\\.[05])?$')}) || (double(self) >= 0.5 && double(self) <= 112.0)`,
      message: 'compute units must be between "0.5" and 112',
    },
  );

/** The sizes of an endpoint, as defaults and ceilings of a class or as the wish of an object. */
export const endpointRule: Rule = {
  rule: '!has(self.minCU) || !has(self.maxCU) || double(self.minCU) <= double(self.maxCU)',
  message: 'minCU must not be above maxCU: lower minCU or raise maxCU',
};

/** The name of a Secret or of one of our objects: what Kubernetes calls a DNS subdomain. */
export const objectName = (longest = 253): z.ZodString =>
  withRules(z.string().min(1).max(longest), {
    rule: celMatches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'),
    message: 'write a name of lower-case letters, digits, - and . that begins and ends with a letter or digit',
  });

/** Id of a project or branch at the provider; not its display name and not its uid (`br-…`). */
export const providerId = (what: string): z.ZodString =>
  withRules(z.string().min(1).max(63), {
    rule: celMatches('^[a-z]([a-z0-9-]*[a-z0-9])?$'),
    message: `write the id of the ${what}, like ${what === 'project' ? 'shop' : 'production'}: lower-case letters, digits and -, beginning with a letter`,
  });

/** On ids and patterns of source branches: a branch that another object made is never a source. */
export const notAnOperatorBranch: Rule = {
  rule: `!${celMatches(operatorBranchPattern)}`,
  message: 'this is a branch that lakebranch made for an object; name a branch that people made',
};

/** A Secret in the operator's namespace. */
export const secretReference = (): z.ZodObject<{ name: z.ZodString }> =>
  z.object({ name: objectName().describe('Name of the Secret.') });

const qualifiedName = '^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$';
const labelValuePattern = '^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$';

export const keysAreQualifiedNames: Rule = {
  rule: `self.all(key, key.matches(${celText(qualifiedName)}))`,
  message: 'write keys like example.com/team or team: letters, digits, -, _ and ., at most 63 after the /',
};

/** Labels of a Kubernetes object, or the ones to look for. */
export const labels = (): z.ZodRecord<z.ZodString, z.ZodString> =>
  withRules(z.record(z.string(), z.string().max(63)).meta({ maxProperties: 32 }), keysAreQualifiedNames, {
    rule: `self.all(key, self[key].matches(${celText(labelValuePattern)}))`,
    message: 'write label values of letters, digits, -, _ and . that begin and end with a letter or digit, at most 63',
  });

export const labelKey = (): z.ZodString =>
  withRules(z.string().min(1).max(317), {
    rule: celMatches(qualifiedName),
    message: 'write a label key like example.com/team or team',
  });

export const labelValue = (): z.ZodString =>
  withRules(z.string().max(63), {
    rule: celMatches(labelValuePattern),
    message: 'write a label value of letters, digits, -, _ and . that begins and ends with a letter or digit',
  });

// What follows is written by the operator, and read by people.

/** A short text of ours in a status. */
export const statusText = (): z.ZodString => z.string().max(253);

/** How many of something there are, in a status. */
export const statusCount = (): z.ZodInt => z.int().min(0);

/** RFC 3339 with a zone. */
export const statusTime = (): z.ZodString => z.string().max(64).meta({ format: 'date-time' });

export const observedGeneration = (): z.ZodInt =>
  z
    .int()
    .describe(
      'The metadata.generation that this was written for. Smaller than the present one: it does not tell about the last edit yet.',
    );

const condition = z.object({
  type: z.string().min(1).max(63).describe('Which claim this is about, like Ready.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether the claim holds.'),
  reason: z
    .string()
    .min(1)
    .max(63)
    .regex(/^[A-Z][A-Za-z0-9]*$/)
    .describe('Why, in one word that never changes its meaning; docs/reasons.md says what to do about each.'),
  message: z.string().max(4096).describe('Why, in words, and what to do.'),
  lastTransitionTime: statusTime().describe('When `status` last changed. A new reason or message does not move it.'),
  observedGeneration: observedGeneration().exactOptional(),
});

export type Condition = z.output<typeof condition>;

export const conditions = (): z.ZodArray<typeof condition> =>
  z
    .array(condition)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });

/** So that every waiter sees an object as not ready before the operator has looked at it. */
export const statusBeforeFirstLook = (): { observedGeneration: number; conditions: Condition[] } => ({
  observedGeneration: -1,
  conditions: [
    {
      type: 'Ready',
      status: 'Unknown',
      reason: 'Pending',
      message: 'Waiting for controller',
      lastTransitionTime: '1970-01-01T00:00:00Z',
    },
  ],
});

/** metav1.ObjectMeta, as far as the operator reads it. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
  creationTimestamp?: string;
  deletionTimestamp?: string;
}
