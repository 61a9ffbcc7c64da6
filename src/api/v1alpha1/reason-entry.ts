// What is told of every reason.

export interface ReasonEntry {
  /** What is the case, for a person who has never seen the reason. */
  readonly meaning: string;
  /** What to do about it, or that nothing needs to be done. */
  readonly remedy: string;
  /** Nothing gets better before a person acts. Goes with `Stalled`; the others go with `Reconciling` or with good news. */
  readonly terminal: boolean;
}

export const nothing = 'Nothing needs to be done.';
export const itself = 'Wait: it goes on by itself.';
