// Every reason that a condition of ours can show. Reasons are API: people alert on them and look them
// up in docs/reasons.md, which is generated from this file. A new one may be added; none may change its meaning.

export interface ReasonEntry {
  /** What is the case, for a person who has never seen the reason. */
  readonly meaning: string;
  /** What to do about it, or that nothing needs to be done. */
  readonly remedy: string;
  /** Nothing gets better before a person acts. Goes with `Stalled`; the others go with `Reconciling` or with good news. */
  readonly terminal: boolean;
}

const nothing = 'Nothing needs to be done.';
const itself = 'Wait: it goes on by itself.';
const again = 'For a new branch delete the object and create it again.';

/** Grouped as in docs/reasons.md. */
export const reasonGroups = {
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
  },
  'On the way': {
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
        'If it does not recover, delete the object and create it again: that asks for another branch. Give the provider’s support the branch id from status.candidate.',
      terminal: false,
    },
    WaitingForBranchSlot: {
      meaning: 'The project holds as many unarchived branches as the provider allows.',
      remedy:
        'Wait until another branch goes, or delete a DatabaseBranch (or a branch made by hand) that nobody needs. The create is repeated by itself.',
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
        'The message says whether the role is missing on the branch only, or on the source too. Check spec.login of the BranchClass and the database name in spec.credentials.database. To skip the check set spec.verify.login: Never.',
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
      meaning:
        'No answer came from the provider. The message says how far the request got: dns, refused, reset, tls, proxy or timeout.',
      remedy:
        'If it does not pass, check from the operator’s pod: name resolution and NetworkPolicies (dns, refused, timeout), HTTPS_PROXY and NO_PROXY (proxy), spec.provider.caSecretRef of the class (tls).',
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
        'The operator’s clock differs by more than 2 minutes from that of the API server or the provider, or one of them was not heard yet. Nothing is deleted for age meanwhile.',
      remedy: 'Correct the clock (NTP) of the node that runs the operator.',
      terminal: false,
    },
  },
  'The class': {
    ClassNotFound: {
      meaning: 'The BranchClass named in spec.className does not exist.',
      remedy:
        'Create it, or delete the object and create it again with the name of another class (kubectl get bclass).',
      terminal: true,
    },
    ClassNotReady: {
      meaning: 'The BranchClass cannot be used yet; its own Ready condition says why.',
      remedy: 'kubectl describe bclass NAME, and follow its message.',
      terminal: true,
    },
    ClassTerminating: {
      meaning:
        'The BranchClass is being deleted. Nothing new is created in it; existing branches are served and deleted as usual.',
      remedy: 'Use another class. The deletion of the class ends when no DatabaseBranch needs it any more.',
      terminal: true,
    },
    ClassMoved: {
      meaning:
        'The BranchClass was made anew with another host or project than the one in which this branch was made. Nothing is concluded from the other project’s answers.',
      remedy:
        'Create the class again with the host and project recorded in status.branch, or delete the object and create it again.',
      terminal: true,
    },
    NamespaceNotAllowed: {
      meaning:
        'The BranchClass does not allow this namespace. Nothing new is created; an existing login is kept fresh for 24 hours, then it runs out.',
      remedy: 'Label the namespace as spec.allowedNamespaces of the class asks, or use another class.',
      terminal: true,
    },
    CredentialsNotFound: {
      meaning: 'A Secret that the BranchClass names, or a key in it, does not exist in the operator’s namespace.',
      remedy:
        'Create the Secret and key that the message names: client-id and client-secret of a service principal, or ca.crt.',
      terminal: true,
    },
    Unauthenticated: {
      meaning:
        'The provider does not accept the credentials of the class: the client secret is wrong, has expired or was revoked.',
      remedy:
        'Write a valid client-id and client-secret into the Secret that the class names. It is read again at once.',
      terminal: true,
    },
    PermissionDenied: {
      meaning: 'The credentials of the class work, but the provider forbids them what is needed.',
      remedy: 'Give the service principal CAN_MANAGE on the project. The message says what was refused.',
      terminal: true,
    },
    ProjectNotFound: {
      meaning: 'The project of the BranchClass does not exist, or its service principal may not see it.',
      remedy:
        'Check spec.provider.project of the class and the service principal’s permission. Host and project cannot be changed: make another class if they are wrong.',
      terminal: true,
    },
  },
  'What the object asks for': {
    SourceNotAllowed: {
      meaning:
        'The BranchClass does not allow this source branch, or names no default and the object none either. A branch made by another DatabaseBranch is never allowed.',
      remedy: 'Use a source that matches spec.sources.allow of the class, or ask the platform team to add it.',
      terminal: true,
    },
    SourceNotFound: {
      meaning: 'The source branch does not exist in the project of the class.',
      remedy: 'Create it at the provider, or delete the object and create it again with another source.',
      terminal: true,
    },
    ExpirationExceedsMaximum: {
      meaning:
        'The branch would live longer than spec.expiration.max of the BranchClass allows. A branch that exists keeps the expiry that it had.',
      remedy: 'Shorten spec.expiration of the object.',
      terminal: true,
    },
    NeverExpireNotAllowed: {
      meaning: 'The object asks for expiration.never, and the BranchClass has allowNever: false.',
      remedy: 'Write expiration.ttl instead, or ask the platform team for a class that allows it.',
      terminal: true,
    },
    EndpointSizeNotAllowed: {
      meaning:
        'spec.endpoint asks for more than spec.endpoint of the BranchClass allows, or for a pair that the provider does not know.',
      remedy: 'Lower spec.endpoint of the object to what the message says, or leave it out.',
      terminal: true,
    },
    TemplateInvalid: {
      meaning: 'spec.credentials.template uses something other than {{ .key }} with a key of the Secret.',
      remedy: 'Correct the template: the message names the place and the known keys.',
      terminal: true,
    },
    SecretWriteRefused: {
      meaning: 'The API server does not take the Secret: a quota, a policy, or an immutable Secret stands in the way.',
      remedy: 'Remove what the message names. The write is repeated by itself.',
      terminal: true,
    },
    RequestRefused: {
      meaning: 'The provider refuses a request as it is, and would refuse it again.',
      remedy: 'Change in the object or the class what the message names.',
      terminal: true,
    },
    ClusterIDChanged: {
      meaning:
        'The operator runs with another cluster id than the one under which the branch was made, and does not look for it under another name.',
      remedy: 'Set LAKEBRANCH_CLUSTER_ID to the value that it had.',
      terminal: true,
    },
    SecretNotOwned: {
      meaning:
        'The Secret that the object should write exists and belongs to somebody else, or an older DatabaseBranch of the namespace writes it. It is not touched.',
      remedy:
        'Delete that Secret if nobody needs it, or delete the object and create it again with another spec.credentials.secretName.',
      terminal: true,
    },
  },
  Refused: {
    CreateRefused: {
      meaning:
        'The provider has refused to create the branch for two minutes, and not for want of room. The message holds its words.',
      remedy: 'Do what the provider’s words ask for. The create is repeated every 10 seconds.',
      terminal: true,
    },
    RoleRefused: {
      meaning:
        'The provider has refused for 10 minutes to make the Postgres role of the login on the branch. The message holds its words.',
      remedy:
        'Do what the provider’s words ask for; check spec.login.membershipRoles of the class. It is tried again every 10 minutes.',
      terminal: true,
    },
    RoleUnusable: {
      meaning:
        'A Postgres role with the name of the login exists on the branch, but it is not one that a token can log in as.',
      remedy:
        'Drop or correct the role on the source (SERVICE_PRINCIPAL, LAKEBASE_OAUTH_V1), then delete the object and create it again.',
      terminal: true,
    },
    BranchNotOurs: {
      meaning:
        'The id of this object’s branch is taken by a branch that it did not make. That branch is never changed, deleted or handed out.',
      remedy:
        'Find out who made it. If two clusters came from one backup, give each its own clusterID; then delete the object and create it again.',
      terminal: true,
    },
    EndpointMismatch: {
      meaning:
        'It could not be proved that the endpoint belongs to this object’s branch and to no other. No login is handed out.',
      remedy:
        'The message names the clause that failed. Delete the object and create it again; if it comes back, report it with the message.',
      terminal: true,
    },
  },
  Ended: {
    Expired: {
      meaning:
        'The branch has reached its expiry. Secret and branch are deleted; the object stays, so that GitOps does not make it anew.',
      remedy: `${again} Give it a later spec.expiration if it needs more time.`,
      terminal: true,
    },
    LeaseLapsed: {
      meaning:
        'The operator was away for longer than the lease of the class, and the provider removed the branch. Its data is gone; the Secret is deleted.',
      remedy: `${again} If outages of that length happen, raise spec.expiration.lease of the class.`,
      terminal: true,
    },
    DeletedExternally: {
      meaning:
        'Somebody deleted the branch at the provider. Its data is gone; the Secret is deleted, and nothing was made in its place.',
      remedy: again,
      terminal: true,
    },
  },
  Deletion: {
    Deleting: {
      meaning: 'The object is being deleted: its branch is deleted at the provider, then the finalizer goes.',
      remedy: itself,
      terminal: false,
    },
    DeletionWaiting: {
      meaning:
        'The branch cannot be deleted yet, because the provider or the class cannot be used. It is tried again every few seconds.',
      remedy:
        'Remove the cause that the message names. To let the object go although its branch stays, annotate it lakebranch.dev/release with its own uid; a leased branch is then removed by its lease.',
      terminal: false,
    },
    DeletionBlocked: {
      meaning:
        'The provider does not allow the branch to be deleted: it is protected, it is the default branch, or it has children.',
      remedy: 'Change at the provider what the message names. The object then goes by itself.',
      terminal: true,
    },
  },
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
    RoleOnSource: {
      meaning:
        'The role of the login exists on the source branch too: whoever reads the Secret can also log in there, if they know its host.',
      remedy:
        'If that is not wanted: use spec.login.auth with a service principal of its own and role: CreateOnBranch in the class, and drop the role on the source.',
      terminal: false,
    },
  },
} as const satisfies Record<string, Record<string, ReasonEntry>>;

type Groups = typeof reasonGroups;
type KeyOfEach<T> = T extends T ? keyof T : never;

/** One of the reasons that our conditions can show. */
export type Reason = KeyOfEach<Groups[keyof Groups]>;

const entries = Object.values(reasonGroups).flatMap((group) => Object.entries<ReasonEntry>(group));

/** What each reason means, by its name. */
export const reasonCatalogue = Object.fromEntries(entries) as Record<Reason, ReasonEntry>;

/** The names as constants: `Reason.Available`. */
export const Reason = Object.fromEntries(entries.map(([name]) => [name, name])) as { readonly [R in Reason]: R };
