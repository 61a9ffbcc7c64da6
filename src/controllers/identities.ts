// When the credentials of a class are not accepted: which part of them a person has to look at. Pure.
import { Reason } from '../api/v1alpha1/reasons.ts';
import type { LakebaseError, SubjectTokenTrouble } from '../lakebase/errors.ts';
import type { Refusal } from './classes.ts';

/** Who of the class was refused: the one that manages branches, or the one whose tokens applications get. */
export type Identity = 'provider' | 'login';

const ofWorkload: Readonly<Record<SubjectTokenTrouble, { readonly reason: Reason; readonly advice: string }>> = {
  notFound: {
    reason: Reason.WorkloadTokenNotFound,
    advice: "The operator's Deployment needs a projected volume for it",
  },
  expired: { reason: Reason.WorkloadTokenExpired, advice: "Check the kubelet of the operator's node and its clock" },
  unusable: { reason: Reason.WorkloadTokenUnusable, advice: 'It was sent to nobody' },
  notAccepted: {
    reason: Reason.FederationPolicyMismatch,
    advice: 'Give the service principal a federation policy with exactly this issuer, subject and audience',
  },
};

/** What to say of an error whose code is `unauthenticated`. */
export function notAccepted({ message, details }: LakebaseError, who: Identity): Refusal {
  if (details.subjectToken !== undefined) {
    const { reason, advice } = ofWorkload[details.subjectToken];
    return { reason, message: `workload identity of spec.${who}.auth does not work: ${message}. ${advice}` };
  }
  return {
    reason: Reason.Unauthenticated,
    message: `the provider does not accept the credential of the class: ${message}. Check the service principal of spec.${who}.auth of the class, and its Secret if one is named there`,
  };
}
