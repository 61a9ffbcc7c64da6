// The types of our conditions. The reasons that they show are in reasons.ts.

/**
 * `Ready` is always there and sums up. `Reconciling` and `Stalled` are there only while True: work in progress, and work
 * that waits for a person. The others say how far the parts are; those after them are there only when there
 * is something to say.
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
  Expiring: 'Expiring',
  ExpirationClamped: 'ExpirationClamped',
  Drifted: 'Drifted',
  Paused: 'Paused',
  Unleased: 'Unleased',
  Succeeded: 'Succeeded',
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
  Expiring: 'The branch reaches its expiry within 24 hours. There only while True.',
  ExpirationClamped:
    'The provider allows only a nearer expiry of the branch than it was asked for. There only while True.',
  Drifted:
    'Something at the provider is not as the object asks, and the operator cannot or may not correct it; the message names it. There only while True.',
  Paused: 'The annotation lakebranch.dev/paused holds back work on the object. There only while True.',
  Unleased:
    'On a BranchClass: some of its branches are removed by the operator only, not by the provider; the message names them. There only while True.',
  Succeeded:
    'On a PointInTimeRestore: True when the branch of the past is there with its login, False when it will never be. Unknown until then.',
};
