// The reasons of good news, of work, and of trouble that passes. A part of reasons.ts.
import { itself, nothing, type ReasonEntry } from './reason-entry.ts';

/** Grouped as in docs/reasons.md. */
export const passingReasons = {
  'All is well': {
    Available: {
      meaning:
        'On a DatabaseBranch: the Secret holds a login that works and is kept fresh. On a BranchClass: its credentials work, and its project was seen at the provider.',
      remedy: nothing,
      terminal: false,
    },
    BranchReady: {
      meaning: 'The branch exists at the provider, is ready, and is the one that this object made.',
      remedy: nothing,
      terminal: false,
    },
    EndpointReady: {
      meaning: 'The endpoint of the branch has a host. It may sleep: the first connection wakes it.',
      remedy: nothing,
      terminal: false,
    },
    TokenFresh: {
      meaning: 'The Secret holds a token that is valid, and the next one is planned.',
      remedy: nothing,
      terminal: false,
    },
    Restored: {
      meaning:
        'The DatabaseBranch of the restore holds the data of the past, and its Secret a login. The restore is over; the branch lives on by its own expiry.',
      remedy: nothing,
      terminal: false,
    },
  },
  'On the way': {
    Restoring: {
      meaning:
        'The DatabaseBranch of the restore is there and gets its branch of the past; its own conditions say more.',
      remedy: itself,
      terminal: false,
    },
    Pending: {
      meaning: 'The operator has not looked at the object yet.',
      remedy:
        'Wait a few seconds. If it stays, the operator is not running or may not see this namespace: check its Deployment and its log.',
      terminal: false,
    },
    Claiming: {
      meaning:
        'The finalizer is being set, so that the branch can never be left behind. Nothing exists at the provider yet.',
      remedy: itself,
      terminal: false,
    },
    BranchCreating: {
      meaning: 'The provider was asked for the branch and does not show it yet.',
      remedy: itself,
      terminal: false,
    },
    BranchStarting: {
      meaning: 'The branch exists and is not ready yet.',
      remedy: itself,
      terminal: false,
    },
    BranchStuckInInit: {
      meaning:
        'The branch has been starting for more than 10 minutes. After 60 minutes the object is Stalled; the operator goes on looking.',
      remedy:
        'If it does not recover, set a new spec.reset.token: that asks for another branch and deletes this one. Give the provider’s support the branch id from status.candidate.',
      terminal: false,
    },
    WaitingForBranchSlot: {
      meaning:
        'The project holds as many unarchived branches as the provider allows. status.queue shows the place in the queue; for a reset the old branch is served meanwhile.',
      remedy:
        'Wait until another branch goes, or delete a DatabaseBranch (or a branch made by hand) that nobody needs. It goes on by itself. A reset need not wait for a free branch with spec.reset.strategy: Replace.',
      terminal: false,
    },
    ClassLimitReached: {
      meaning:
        'The BranchClass has as many branches as spec.limits.total allows, less those that spec.limits.reserve keeps for restores.',
      remedy:
        'Wait until another DatabaseBranch of the class goes, delete one that nobody needs, or ask the platform team to raise the limit. It goes on by itself.',
      terminal: false,
    },
    NamespaceLimitReached: {
      meaning: 'The namespace has as many branches of the class as spec.limits.perNamespace of the class allows.',
      remedy:
        'Wait until another DatabaseBranch of the namespace goes, delete one that nobody needs, or ask the platform team to raise the limit. It goes on by itself.',
      terminal: false,
    },
    SourceRefNotFound: {
      meaning: 'The DatabaseBranch named in spec.source.databaseBranchRef does not exist in this namespace.',
      remedy:
        'Create it; this object then goes on by itself. If the name is wrong, correct spec.source and set a new spec.reset.token in the same edit.',
      terminal: false,
    },
    SourceRefNotReady: {
      meaning:
        'The DatabaseBranch named in spec.source.databaseBranchRef has no branch yet that could be forked, or not any more.',
      remedy: 'Wait; if it stays, kubectl describe dbb NAME for the other object, and follow its message.',
      terminal: false,
    },
    Resetting: {
      meaning:
        'A new spec.reset.token was set: a fresh branch is being prepared. With strategy Switch the old one is served until then, and Ready stays True.',
      remedy:
        'Wait: it goes on by itself. The former spec.reset.token cancels the reset, if it is written back before the switch.',
      terminal: false,
    },
    PausedByAnnotation: {
      meaning:
        'The annotation lakebranch.dev/paused holds back creates, resets and size changes; with the value all also the renewal of login and lease, and expiry. An object without a branch waits. Deletion goes on.',
      remedy: 'To go on: kubectl annotate dbb NAME lakebranch.dev/paused-',
      terminal: false,
    },
    CreateUnclear: {
      meaning:
        'For two minutes the provider neither refused the branch nor showed it. The create is repeated; it cannot make a second branch.',
      remedy: 'Wait. If it stays for more than 10 minutes, look at the provider’s status page.',
      terminal: false,
    },
    EndpointStarting: {
      meaning: 'The branch is ready, its endpoint has no host yet or is being changed.',
      remedy: itself,
      terminal: false,
    },
    RolePending: {
      meaning:
        'The Postgres role of the login is being made on the branch, or the provider has refused that for less than 10 minutes.',
      remedy: itself,
      terminal: false,
    },
    LoginPending: {
      meaning: 'The branch does not accept the login yet. Fresh branches refuse logins for up to a minute.',
      remedy: itself,
      terminal: false,
    },
    LoginFailed: {
      meaning:
        'The branch has refused the login for more than a minute; the message holds the words of Postgres. No Secret is written before a login works.',
      remedy:
        'Check spec.login of the BranchClass and the database name in spec.credentials.database. To skip the check set spec.verify.login: Never.',
      terminal: false,
    },
    LoginRoleMissing: {
      meaning:
        'The branch refuses the login because its Postgres role does not exist there. The message says whether it is missing on the source too. No Secret is written before a login works.',
      remedy:
        'If spec.login.role of the BranchClass is Inherited: make the role on the source, then set a new spec.reset.token; or use CreateOnBranch. If it is CreateOnBranch: wait, the role is made again; if it stays, find out who drops it.',
      terminal: false,
    },
    LoginSkipped: {
      meaning:
        'The operator has no network path to the database, or a proxy is in between, so the login was not tried. The Secret was written all the same.',
      remedy:
        'Nothing, if pods reach the database in another way than the operator. Otherwise open port 5432 (spec.provider.port of the class) for the operator.',
      terminal: false,
    },
    NamespaceTerminating: {
      meaning: 'The namespace is being deleted, and nothing new is made in it.',
      remedy: nothing,
      terminal: false,
    },
    SecretPending: {
      meaning: 'The login works; the Secret is being written.',
      remedy: itself,
      terminal: false,
    },
  },
  'Trouble that passes': {
    ProviderUnreachable: {
      meaning: 'No answer came from the provider. The message says how far the request got: refused, reset or timeout.',
      remedy:
        'If it does not pass, check the way from the operator’s pod to spec.provider.host of the class: NetworkPolicies, firewalls, IP access lists of the workspace.',
      terminal: false,
    },
    ProviderHostUnknown: {
      meaning: 'The name of the provider’s host could not be resolved to an address.',
      remedy:
        'If it does not pass, check spec.provider.host of the class for a typing error (it cannot be changed: make another class), then name resolution in the operator’s pod: cluster DNS, and NetworkPolicies that forbid port 53.',
      terminal: false,
    },
    ProviderTLSFailed: {
      meaning:
        'The provider was reached, but its certificate is not trusted, does not fit the host, or is out of date. Nothing was sent to it.',
      remedy:
        'With a private certificate authority, or a proxy that opens TLS: put its certificate into a Secret and name it in spec.provider.caSecretRef of the class. Otherwise check the host and the clock of the operator’s node.',
      terminal: false,
    },
    ProviderProxyFailed: {
      meaning: 'The proxy that the operator was told to use cannot be reached, or does not let it through.',
      remedy:
        'Check HTTPS_PROXY and its credentials in the operator’s Deployment, and whether the proxy allows the host; or name the host in NO_PROXY.',
      terminal: false,
    },
    ProviderThrottled: {
      meaning: 'The provider asks for fewer requests. They are repeated when it allows.',
      remedy:
        'Wait. If it happens often, lower LAKEBRANCH_PROVIDER_QPS or split the work over several projects and workspaces.',
      terminal: false,
    },
    ProviderUnavailable: {
      meaning: 'The provider answers with an error of its own. The message holds its words.',
      remedy:
        'Wait. If it does not pass, look at the provider’s status page; the operator’s log holds the TraceId that its support asks for.',
      terminal: false,
    },
    QuotaExceeded: {
      meaning:
        'The provider refuses because a quota is used up, and it is not that of branches per project: of computes, projects or storage, for example. The message holds its words.',
      remedy:
        'Free what the provider’s words name, or ask its support to raise the quota. The request is repeated by itself.',
      terminal: false,
    },
    ProviderConflict: {
      meaning: 'Another change is under way in the same branch or project. It is tried again.',
      remedy: itself,
      terminal: false,
    },
    MintFailed: {
      meaning: 'The provider did not issue a new token. The Secret keeps its last good one until that one expires.',
      remedy:
        'Wait; the message holds the provider’s words and the Secret’s token says in expires-at how long it lives. If it stays, check the credentials of spec.login of the class.',
      terminal: false,
    },
    ClockSkewed: {
      meaning:
        'The operator’s clock differs by more than 2 minutes from that of the API server or the provider, or one of them was not heard yet. Meanwhile nothing is deleted for age, and no past is given up as out of reach.',
      remedy: 'Correct the clock (NTP) of the node that runs the operator.',
      terminal: false,
    },
  },
} as const satisfies Record<string, Record<string, ReasonEntry>>;

/** What is said beside all that. */
export const reasonsBeside = {
  'The token in the Secret': {
    ShortLived: {
      meaning:
        'The provider grants tokens of less than 15 minutes. They are renewed at half their life, but an outage leaves little time.',
      remedy: 'Look for a workspace policy that limits the life of database credentials.',
      terminal: false,
    },
    TokenExpired: {
      meaning: 'The token in the Secret has expired and could not be renewed. Open connections go on, new logins fail.',
      remedy: 'Remove what keeps the operator from the provider; the message of Reconciling or Stalled names it.',
      terminal: false,
    },
    TokenMissing: {
      meaning: 'There is no Secret with a token: not yet, or not any more.',
      remedy: 'The Ready condition says why.',
      terminal: false,
    },
  },
  'For information': {
    ExpiresSoon: {
      meaning: 'The branch reaches its expiry within 24 hours; its Secret and its data are then deleted.',
      remedy: 'If it is still needed: set a later spec.expiration. Otherwise nothing.',
      terminal: false,
    },
    LeaseClamped: {
      meaning:
        'The provider refused the expiry that it was asked for and took a nearer one: a policy of the workspace limits it. The operator pushes it forward as long as it runs, but an outage that it outlives is shorter.',
      remedy:
        'Nothing, or ask for a longer limit in the workspace. To see the same everywhere, shorten spec.expiration.lease of the class to what the message names.',
      terminal: false,
    },
    DriftFound: {
      meaning:
        'Somebody changed at the provider what the object asks for, or an earlier branch of the object cannot be removed; the message names it. The operator leaves it as it is.',
      remedy: 'Put right at the provider what the message names. It is looked at again by itself.',
      terminal: false,
    },
    UnleasedBranches: {
      meaning:
        'Some branches of the class have no expiry at the provider, or one far away, because their objects ask for never, children: Allow or deletionPolicy: Retain. Only the operator removes them in time; if it is gone for good, they stay.',
      remedy:
        'Nothing, if they are meant to be so. The message names the objects; before the operator is removed, delete them.',
      terminal: false,
    },
    RoleOnSource: {
      meaning:
        'The role of the login exists on the source branch too: whoever reads the Secret can also log in there, if they know its host.',
      remedy:
        'If that is not wanted: use spec.login.auth with a service principal of its own and role: CreateOnBranch in the class, and drop the role on the source.',
      terminal: false,
    },
  },
} as const satisfies Record<string, Record<string, ReasonEntry>>;
