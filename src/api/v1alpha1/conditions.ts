// The types of our conditions. The reasons that they show are in reasons.ts.

/**
 * `Ready` is always there and sums up. `Reconciling` and `Stalled` are there only while True: work in progress, and work
 * that waits for a person. The others say how far the parts are; the last two are there only when there is
 * something to say.
 */
export const ConditionType = {
  Ready: 'Ready',
  Reconciling: 'Reconciling',
  Stalled: 'Stalled',
  BranchProvisioned: 'BranchProvisioned',
  EndpointAvailable: 'EndpointAvailable',
  CredentialsFresh: 'CredentialsFresh',
  LoginReachesSource: 'LoginReachesSource',
  NamespaceAllowed: 'NamespaceAllowed',
} as const;

export type ConditionType = (typeof ConditionType)[keyof typeof ConditionType];

/** What each condition claims when it is True. */
export const conditionCatalogue: Readonly<Record<ConditionType, string>> = {
  Ready: 'The sum of all: True when the Secret holds a login that works, or when a class can be used. Always there.',
  Reconciling: 'The operator is at work, or waits for something that passes. There only while True.',
  Stalled: 'It goes on only when a person does something; the message says what. There only while True.',
  BranchProvisioned: 'The branch exists, is ready, and is the one that the object made.',
  EndpointAvailable: 'The branch has an endpoint with a host. It may sleep.',
  CredentialsFresh: 'The Secret holds a valid token that is renewed in time.',
  LoginReachesSource: 'The login in the Secret opens the source branch too. There only while True.',
  NamespaceAllowed:
    'False: the class does not allow the namespace any more; 24 hours after this began the token is no longer renewed. There only while False.',
};
