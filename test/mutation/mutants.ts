// All mutants of one source file, each a copy of it with one slip. Pure, and the same for the same source.
import { editsAt, type Edit } from './operators.ts';
import { child, children, isSyntax, parse, walk, type Node } from './syntax.ts';

export interface Mutant {
  /** Names the mutant within its file, and stays when lines move: `renewTime: 0.45 + x → 0.45 - x`. */
  readonly id: string;
  /** From 1. */
  readonly line: number;
  /** The whole source with the slip. */
  readonly code: string;
}

export function mutantsOf(source: string): readonly Mutant[] {
  const seen = new Map<string, number>();
  return children(parse(source), 'body').flatMap((declaration) =>
    editsIn(declaration, source).map((edit) => {
      const name = `${nameOf(declaration)}: ${describe(source, edit)}`;
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      return {
        id: count === 1 ? name : `${name} (${count})`,
        line: source.slice(0, edit.start).split('\n').length,
        code: apply(source, edit),
      };
    }),
  );
}

/** In the order of the source; without those that are no TypeScript, such as `a ?? b || c`. */
function editsIn(declaration: Node, source: string): readonly Edit[] {
  return [...walk(declaration)]
    .flatMap(([node, path]) => editsAt({ node, path, source }))
    .filter((edit) => isSyntax(apply(source, edit)));
}

const apply = (source: string, { start, end, text }: Edit): string => source.slice(0, start) + text + source.slice(end);

/** The function, constant or class at the top of the file that holds it. */
function nameOf(declaration: Node): string {
  if (declaration.type.startsWith('Export') && declaration['declaration'])
    return nameOf(child(declaration, 'declaration'));
  if (declaration.type === 'VariableDeclaration')
    return children(declaration, 'declarations')
      .map((one) => String(child(one, 'id')['name']))
      .join();
  return declaration['id'] ? String(child(declaration, 'id')['name']) : 'file';
}

/** So much of the code is shown on each side of a slip at most. */
const margin = 50;

function describe(source: string, { start, end, text, shown }: Edit): string {
  const from = Math.max(shown.start, start - margin);
  const to = Math.min(shown.end, end + margin);
  const [before, after] = [source.slice(from, start), source.slice(end, to)];
  const around = (middle: string): string =>
    `${from > shown.start ? '…' : ''}${before}${middle}${after}${to < shown.end ? '…' : ''}`.replaceAll(/\s+/g, ' ');
  return `${around(source.slice(start, end))} → ${around(text) || 'nothing'}`;
}
