// The rulebook for every status that we write: what kubectl wait, Helm, Flux and Argo CD conclude from it must be right at
// every moment, so every status that a test produces goes through here.
import type { Condition, KubeObject } from '../src/kit/kube.ts';
import { ConditionType } from '../src/api/v1alpha1/conditions.ts';
import { reasonCatalogue, type ReasonEntry } from '../src/api/v1alpha1/reasons.ts';

export interface StatusObject extends KubeObject {
  status?: { observedGeneration?: number; conditions?: Condition[] };
}

export type KStatus = 'Current' | 'InProgress' | 'Failed' | 'Terminating';

/** What a waiter concludes, in the order in which it looks. */
export function kstatusOf(object: StatusObject): KStatus {
  const { deleting, observed, generation, reconciling, stalled, ready } = viewOf(object);
  if (deleting) return 'Terminating';
  if (observed !== undefined && observed !== generation) return 'InProgress';
  if (reconciling?.status === 'True') return 'InProgress';
  if (stalled?.status === 'True') return 'Failed';
  // The trap: nothing said counts as done.
  return !ready || ready.status === 'True' ? 'Current' : 'InProgress';
}

/** Throws with every law that the status breaks; with `before`, the status of the same object earlier, also the laws of change. */
export function expectLawfulStatus(object: StatusObject, before?: StatusObject): void {
  const breaches = [...laws.flatMap((law) => law(viewOf(object))), ...(before ? changeBreaches(before, object) : [])];
  if (breaches.length === 0) return;
  const conditions = (object.status?.conditions ?? []).map((condition) => `  ${JSON.stringify(condition)}`);
  throw new Error([`unlawful status of ${object.metadata.name}: ${breaches.join('; ')}`, ...conditions].join('\n'));
}

interface View {
  readonly deleting: boolean;
  readonly generation: number;
  readonly observed: number | undefined;
  readonly conditions: readonly Condition[];
  readonly ready: Condition | undefined;
  readonly reconciling: Condition | undefined;
  readonly stalled: Condition | undefined;
  /** Of a PointInTimeRestore. */
  readonly succeeded: Condition | undefined;
}

function viewOf({ metadata, status }: StatusObject): View {
  const conditions = status?.conditions ?? [];
  return {
    deleting: metadata.deletionTimestamp !== undefined,
    generation: metadata.generation ?? 0,
    observed: status?.observedGeneration,
    conditions,
    ready: find(conditions, 'Ready'),
    reconciling: find(conditions, 'Reconciling'),
    stalled: find(conditions, 'Stalled'),
    succeeded: find(conditions, 'Succeeded'),
  };
}

const find = (conditions: readonly Condition[], type: string): Condition | undefined =>
  conditions.find((condition) => condition.type === type);

type Law = (view: View) => string[];

const laws: readonly Law[] = [
  hasReady,
  observesGenerations,
  eachConditionIsWhole,
  presentOnlyWhileItSaysSomething,
  summaryIsConsistent,
  successIsConsistent,
  reasonsFitTheirCondition,
  keepsSecrets,
];

const unless = (holds: boolean, breach: string): string[] => (holds ? [] : [breach]);

function hasReady({ ready, conditions }: View): string[] {
  const types = conditions.map(({ type }) => type);
  return [
    ...unless(ready !== undefined, 'Ready is missing'),
    ...unless(new Set(types).size === types.length, 'a condition is there twice'),
  ];
}

/** Before the first look it is -1, and only Ready=Unknown/Pending is there. */
function observesGenerations({ observed, generation, conditions, ready }: View): string[] {
  if (observed === undefined) return ['status.observedGeneration is missing'];
  if (observed === -1)
    return unless(
      ready?.reason === 'Pending' && ready.status === 'Unknown',
      'not looked at, but Ready is not Unknown/Pending',
    );
  const summary: readonly string[] = ['Ready', 'Reconciling', 'Stalled', 'Succeeded'];
  return [
    ...unless(
      observed >= 1 && observed <= generation,
      `observedGeneration ${observed} is not a generation up to ${generation}`,
    ),
    ...conditions.flatMap(({ type, observedGeneration: own }) =>
      unless(
        own !== undefined && own <= observed && (!summary.includes(type) || own === observed),
        `${type} has observedGeneration ${own}, the status ${observed}`,
      ),
    ),
  ];
}

const knownTypes: readonly string[] = Object.values(ConditionType);

function eachConditionIsWhole({ conditions }: View): string[] {
  return conditions.flatMap(({ type, status, reason, message, lastTransitionTime }) => [
    ...unless(knownTypes.includes(type), `${type} is not a condition of ours`),
    ...unless(['True', 'False', 'Unknown'].includes(status), `${type} is ${status}`),
    ...unless(Object.hasOwn(reasonCatalogue, reason), `reason ${reason} of ${type} is not in the catalogue`),
    ...unless(
      message.trim() !== '' && message.trim() === message,
      `${type} has no message, or one with space around it`,
    ),
    ...unless(isInstant(lastTransitionTime), `${type} has lastTransitionTime ${lastTransitionTime}`),
  ]);
}

const isInstant = (text: string): boolean =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) && !Number.isNaN(Date.parse(text));

const onlyWhileTrue: readonly string[] = [
  'Reconciling',
  'Stalled',
  'Expiring',
  'ExpirationClamped',
  'Drifted',
  'Paused',
  'Unleased',
  'LoginReachesSource',
];

function presentOnlyWhileItSaysSomething({ conditions, reconciling, stalled }: View): string[] {
  return [
    ...conditions.flatMap(({ type, status }) =>
      unless(!onlyWhileTrue.includes(type) || status === 'True', `${type} is there although ${status}`),
    ),
    ...conditions.flatMap(({ type, status }) =>
      unless(type !== 'NamespaceAllowed' || status === 'False', 'NamespaceAllowed is there although allowed'),
    ),
    ...unless(!reconciling || !stalled, 'Reconciling and Stalled at once'),
  ];
}

/** A waiter must be able to tell from Reconciling and Stalled whether waiting helps. */
function summaryIsConsistent(view: View): string[] {
  const { ready, reconciling, stalled, observed } = view;
  if (!ready || observed === -1) return [];
  if (ready.status === 'True')
    return [
      ...unless(!stalled, 'Stalled although Ready'),
      ...unless(!reconciling || mayBeRestless(view, reconciling), 'Reconciling although Ready and CredentialsFresh'),
    ];
  const cause = stalled ?? reconciling;
  if (!cause) return ['not Ready, and neither Reconciling nor Stalled says why'];
  return unless(cause.reason === ready.reason, `Ready says ${ready.reason}, ${cause.type} says ${cause.reason}`);
}

/** Who waits for the end, and who waits for Ready, must hear the same. */
function successIsConsistent({ succeeded, ready, stalled }: View): string[] {
  if (!succeeded) return [];
  const { status, reason } = succeeded;
  return [
    ...unless(reason === ready?.reason, `Succeeded says ${reason}, Ready says ${ready?.reason}`),
    ...unless((status === 'True') === (ready?.status === 'True'), `Succeeded=${status} with Ready=${ready?.status}`),
    ...unless(status !== 'False' || stalled !== undefined, 'Succeeded=False, and not Stalled'),
  ];
}

/** A reset that is under way, or waits. */
const resetReasons: readonly string[] = [
  'Resetting',
  'WaitingForBranchSlot',
  'NamespaceLimitReached',
  'ClassLimitReached',
  'PausedByAnnotation',
];

/** A served object is at work only for a token that runs out, or for an edit that it has not followed yet. */
function mayBeRestless({ conditions, observed, generation }: View, { reason }: Condition): boolean {
  if (find(conditions, 'CredentialsFresh')?.status === 'False' || resetReasons.includes(reason)) return true;
  return observed !== undefined && observed < generation && !isTerminal(reason);
}

/** May become a matter for a person with time. */
const stallsInTime: readonly string[] = ['BranchStuckInInit'];

function reasonsFitTheirCondition({ deleting, ready, reconciling, stalled, succeeded }: View): string[] {
  const well = succeeded ? 'Restored' : 'Available';
  return [
    ...unless(
      !ready || (ready.status === 'True') === (ready.reason === well),
      `Ready=${ready?.status} with reason ${ready?.reason}`,
    ),
    ...unless(
      !stalled || isTerminal(stalled.reason) || stallsInTime.includes(stalled.reason),
      `Stalled with ${stalled?.reason}, which passes by itself`,
    ),
    ...unless(
      deleting || !reconciling || !isTerminal(reconciling.reason),
      `Reconciling with ${reconciling?.reason}, which only a person can end`,
    ),
  ];
}

const entryOf = (reason: string): ReasonEntry | undefined =>
  new Map<string, ReasonEntry>(Object.entries(reasonCatalogue)).get(reason);
const isTerminal = (reason: string): boolean => entryOf(reason)?.terminal ?? false;

/** JSON Web Tokens begin like this; nothing else in a message does. */
function keepsSecrets({ conditions }: View): string[] {
  return conditions.flatMap(({ type, message }) =>
    unless(!/eyJ[A-Za-z0-9_-]{10,}/.test(message), `${type} shows a token`),
  );
}

/** lastTransitionTime tells when the status flipped, and nothing else. */
function changeBreaches(before: StatusObject, after: StatusObject): string[] {
  const earlier = before.status?.conditions ?? [];
  return (after.status?.conditions ?? []).flatMap((condition) => {
    const last = find(earlier, condition.type);
    if (!last) return [];
    const flipped = last.status !== condition.status;
    const moved = last.lastTransitionTime !== condition.lastTransitionTime;
    return unless(
      flipped || !moved,
      `lastTransitionTime of ${condition.type} moved although it stayed ${condition.status}`,
    );
  });
}
