// The reasons that mostly wait for a person: class, object, refusals, ends, deletion. A part of reasons.ts.
import { itself, type ReasonEntry } from './reason-entry.ts';

const again = 'For a new branch set a new spec.reset.token.';

/** Grouped as in docs/reasons.md. */
export const lastingReasons = {
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
      remedy:
        'Write a spec.source that matches spec.sources.allow of the class and set a new spec.reset.token in the same edit, or ask the platform team to add the source.',
      terminal: true,
    },
    SourceRefNotAllowed: {
      meaning:
        'The DatabaseBranch named in spec.source.databaseBranchRef cannot be a source: it has another class, says children: Forbid, or stems from this very object.',
      remedy:
        'Set children: Allow on the other object if it may be forked; or correct spec.source and set a new spec.reset.token in the same edit.',
      terminal: true,
    },
    ResetTokenReused: {
      meaning:
        'The branch that was made for this spec.reset.token was deleted earlier, and none is made twice for the same token; or it still drains, and was made when spec.source was another one. A branch that is served stays served.',
      remedy: 'Set a spec.reset.token that this object has not had before.',
      terminal: true,
    },
    SourceNotFound: {
      meaning: 'The source branch does not exist in the project of the class.',
      remedy:
        'Create it at the provider; or write another spec.source and set a new spec.reset.token in the same edit.',
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
      meaning:
        'The provider refuses a request as it is, and would refuse it again; or the API server refuses the DatabaseBranch of a restore.',
      remedy:
        'Change in the object or the class what the message names. A restore goes on by itself once the quota or the webhook that the message names lets its DatabaseBranch pass.',
      terminal: true,
    },
    ClusterIDChanged: {
      meaning:
        'The operator runs with another cluster id than the one under which the branch was made, and does not look for it under another name.',
      remedy:
        'Set LAKEBRANCH_CLUSTER_ID to the value that it had, or add that value to LAKEBRANCH_PREVIOUS_CLUSTER_IDS.',
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
  'The past': {
    RestoreNotAllowed: {
      meaning:
        'The BranchClass does not allow branches of the past, or only through a PointInTimeRestore (spec.restore.via).',
      remedy:
        'Ask the platform team to set spec.restore of the class; or, where the message says so, create a PointInTimeRestore instead.',
      terminal: true,
    },
    RestoreWindowExceeded: {
      meaning:
        'The instant, or that of the position, lies further back than spec.restore.maxAge of the class allows, than the provider keeps the history of the project, or than the source branch exists.',
      remedy:
        'Ask for a later instant: with another PointInTimeRestore, or another spec.source and a new spec.reset.token in the same edit. Have the history retention of the project raised before the next incident.',
      terminal: true,
    },
    RestoreTimeInFuture: {
      meaning:
        'The instant that was asked for had not come yet by the clock of the operator’s node. Nothing is made when it comes, unless another branch is served meanwhile.',
      remedy: 'Ask for an instant that has passed, and check its zone: Z is UTC.',
      terminal: true,
    },
    SourceExpires: {
      meaning: 'The source branch has an expiry at the provider, and no branch can be forked from one that has.',
      remedy:
        'If it is the branch of a DatabaseBranch: set children: Allow on that object, before it is needed, and name it in databaseBranchRef. Otherwise take the expiry away at the provider.',
      terminal: true,
    },
    TimeSkewTooLarge: {
      meaning:
        'The branch that the provider made does not hold the data of the instant that was asked for: it lies further before it than maxSkew allows, or after it. No login was handed out for it.',
      remedy:
        'Ask for an instant nearer to the one that the message names as made, or allow a larger maxSkew: with another PointInTimeRestore, or another spec.source and a new spec.reset.token in the same edit.',
      terminal: true,
    },
    RestoreGone: {
      meaning:
        'The PointInTimeRestore that asked for this object is gone, or asks for something else, and the class allows branches of the past through a restore only.',
      remedy: 'Delete this object. To bring the past back, create a PointInTimeRestore.',
      terminal: true,
    },
    TargetExists: {
      meaning: 'A DatabaseBranch of the name that the restore would give to its own exists already. It is not touched.',
      remedy:
        'Create another restore with another spec.branchTemplate.metadata.name; or delete that object, if nobody needs it: the restore then goes on by itself.',
      terminal: true,
    },
    RestoreSourceNotFound: {
      meaning:
        'The DatabaseBranch named in spec.source.databaseBranchRef of the restore did not exist, and did not come within two minutes.',
      remedy:
        'Create another PointInTimeRestore that names a DatabaseBranch of this namespace which existed at that instant.',
      terminal: true,
    },
    RestoredBranchGone: {
      meaning: 'The DatabaseBranch of the restore was deleted, or came to its end, before it was ready.',
      remedy: 'Create another PointInTimeRestore, if the data is still needed.',
      terminal: true,
    },
  },
  Refused: {
    CreateRefused: {
      meaning:
        'The provider has refused to create the branch for two minutes, and not for want of room. The message holds its words.',
      remedy:
        'Do what the provider’s words ask for. The create is repeated every minute; but a past that the provider refuses is not asked for again: ask for another, with another PointInTimeRestore, or another spec.source and a new spec.reset.token in the same edit.',
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
        'Drop or correct the role on the source (SERVICE_PRINCIPAL, LAKEBASE_OAUTH_V1), then set a new spec.reset.token.',
      terminal: true,
    },
    BranchNotOurs: {
      meaning:
        'The id of this object’s branch is taken by a branch that it did not make. That branch is never changed, deleted or handed out.',
      remedy:
        'Find out who made it. If two clusters came from one backup, give each its own clusterID; then set a new spec.reset.token, which makes another id.',
      terminal: true,
    },
    EndpointMismatch: {
      meaning:
        'It could not be proved that the endpoint belongs to this object’s branch and to no other. No login is handed out.',
      remedy:
        'The message names the clause that failed. Set a new spec.reset.token; if it comes back, report it with the message.',
      terminal: true,
    },
  },
  Ended: {
    Expired: {
      meaning:
        'The branch has reached its expiry. Secret and branch are deleted; the object stays, so that GitOps does not make it anew.',
      remedy:
        'For a new branch set a later spec.expiration and a new spec.reset.token in the same edit. A ttl counts from the creation of the object, so the present one is over for every branch.',
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
        'The provider does not allow the branch to be deleted: it is protected, or it is the default branch of the project.',
      remedy: 'Change at the provider what the message names. The object then goes by itself.',
      terminal: true,
    },
    DeletionBlockedByChildren: {
      meaning: 'The branch cannot be deleted before the branches that were forked from it; the message names them.',
      remedy:
        'Delete the DatabaseBranches of the children, or the children at the provider. The object then goes by itself.',
      terminal: true,
    },
    RetainPending: {
      meaning:
        'The object has deletionPolicy: Retain. It goes as soon as the provider shows the whole expiry of the branch, so that the branch surely goes later.',
      remedy: itself,
      terminal: false,
    },
  },
} as const satisfies Record<string, Record<string, ReasonEntry>>;
