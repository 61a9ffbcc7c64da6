// Every reason that a condition of ours can show. Reasons are API: people alert on them and look them
// up in docs/reasons.md, which is generated from this file. A new one may be added; none may change its meaning.
import { lastingReasons } from './lasting-reasons.ts';
import { passingReasons, reasonsBeside } from './passing-reasons.ts';
import type { ReasonEntry } from './reason-entry.ts';

export type { ReasonEntry } from './reason-entry.ts';

/** Grouped as in docs/reasons.md. */
export const reasonGroups = { ...passingReasons, ...lastingReasons, ...reasonsBeside };

type Groups = typeof reasonGroups;
type KeyOfEach<T> = T extends T ? keyof T : never;

/** One of the reasons that our conditions can show. */
export type Reason = KeyOfEach<Groups[keyof Groups]>;

const entries = Object.values(reasonGroups).flatMap((group) => Object.entries<ReasonEntry>(group));

/** What each reason means, by its name. */
export const reasonCatalogue = Object.fromEntries(entries) as Record<Reason, ReasonEntry>;

/** The names as constants: `Reason.Available`. */
export const Reason = Object.fromEntries(entries.map(([name]) => [name, name])) as { readonly [R in Reason]: R };

/** Whether a condition's reason is one of ours. */
export const isReason = (text: string): text is Reason => Object.hasOwn(reasonCatalogue, text);
