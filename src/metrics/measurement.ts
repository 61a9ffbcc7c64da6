// What passes tell the counters and histograms.
import type { RestoreEnd } from '../api/v1alpha1/ends.ts';
import type { IssueReason } from '../api/v1alpha1/issue-reasons.ts';
import type { refusalReasons } from './words.ts';

export type Measurement =
  /** A token was written into a Secret; `lateSeconds` after it was due, if it was renewed because it was. */
  | { readonly is: 'issued'; readonly reason: IssueReason; readonly lateSeconds?: number }
  /** An object has its first Secret. */
  | { readonly is: 'created'; readonly className: string; readonly seconds: number }
  /** The finalizer of an object went. */
  | { readonly is: 'deleted'; readonly className: string; readonly seconds: number }
  | { readonly is: 'refused'; readonly reason: (typeof refusalReasons)[number] }
  | {
      readonly is: 'restored';
      readonly outcome: RestoreEnd;
      readonly seconds: number | undefined;
      readonly skewSeconds: number | undefined;
    };

export type Measure = (measurement: Measurement) => void;
