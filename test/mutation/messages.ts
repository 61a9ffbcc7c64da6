// What the run and its workers tell each other.

/** Run this test file while that source file has that text. */
export interface Task {
  /** Paths from the root of the repository. */
  readonly test: string;
  readonly file: string;
  /** Absent: as it is on the disk. */
  readonly code?: string;
  /** Milliseconds of processor time: unlike time on the wall, a busy machine does not lengthen it. */
  readonly limitMs: number;
}

export interface Answer {
  readonly passed: boolean;
  /** Processor time. */
  readonly usedMs: number;
  /** Of the first test that failed. */
  readonly error: string;
}

/** Instead of an answer, when the limit is passed. The worker is of no use any more. */
export const overLimit = 'overLimit';
