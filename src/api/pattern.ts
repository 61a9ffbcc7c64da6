// Which branches a class lets people fork: ids and patterns in `sources.allow`.

/** Ids of branches that this operator made: a slug, 16 characters that identify the object, 6 for its reset token. */
export const operatorBranchPattern = '^[a-z][a-z0-9-]*-[a-z2-7]{16}-[a-z2-7]{6}$';

const operatorBranch = new RegExp(operatorBranchPattern);

/**
 * True if one of the patterns matches the whole id. `*` stands for any characters, also none.
 * No pattern, however wide, opens a branch that belongs to another object.
 */
export const sourceAllowed = (allow: readonly string[], branchId: string): boolean =>
  !operatorBranch.test(branchId) && allow.some((pattern) => globMatches(pattern, branchId));

/** Compares piece by piece between the stars: no regular expression, so no pattern can make it slow. */
function globMatches(pattern: string, text: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return text === head;
  if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
  let from = head.length;
  for (const piece of rest) {
    const at = text.indexOf(piece, from);
    if (at === -1 || at + piece.length > text.length - tail.length) return false;
    from = at + piece.length;
  }
  return true;
}
