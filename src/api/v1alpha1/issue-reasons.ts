/** What makes a token be written into a Secret: API, because a metric has it as a label. */
export const issueReasons = ['First', 'Reset', 'RotationRequested', 'RenewalDue', 'Healing', 'BindingChanged'] as const;
export type IssueReason = (typeof issueReasons)[number];
