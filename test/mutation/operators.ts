// The faults that are planted, one at a time, each a small slip of a programmer's hand. Pure.
import { child, children, type Node } from './syntax.ts';

/** Replaces source[start, end) by `text`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** What kind of slip it is. */
  readonly kind: string;
  /** The smallest piece of code in which a reader recognises the change. */
  readonly shown: Node;
}

interface Place {
  readonly node: Node;
  /** The nodes around it, the nearest first. */
  readonly path: readonly Node[];
  readonly source: string;
}

type Operator = (place: Place) => readonly Edit[];

/** All slips at one node; none for most nodes. */
export const editsAt = (place: Place): readonly Edit[] => operators[place.node.type]?.(place) ?? [];

const operators: Readonly<Record<string, Operator>> = {
  BinaryExpression: swapOperator,
  AssignmentExpression: swapOperator,
  LogicalExpression: (place) => [...swapOperator(place), ...removeOperands(place)],
  UnaryExpression: removeNot,
  IfStatement: forceCondition,
  ConditionalExpression: forceCondition,
  Literal: changeLiteral,
  TemplateLiteral: emptyTemplate,
  MemberExpression: changeReason,
  CallExpression: changeCall,
  ArrayExpression: ({ node }) => removeEach(node, 'elements', 'entry removed'),
  ObjectExpression: removeSpreads,
  ExpressionStatement: removeStatement,
};

const swaps: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<'],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '+=': ['-='],
  '-=': ['+='],
  '&&': ['||'],
  '||': ['&&'],
};

function swapOperator({ node, source }: Place): readonly Edit[] {
  const operator = String(node['operator']);
  const [left, right] = [child(node, 'left'), child(node, 'right')];
  if (operator === '+' && [left, right].some(isText)) return [];
  const start = source.indexOf(operator, left.end);
  const end = start + operator.length;
  return (swaps[operator] ?? []).map((text) => ({ start, end, text, kind: `${operator} → ${text}`, shown: node }));
}

const isText = (node: Node): boolean => node.type === 'TemplateLiteral' || typeof node['value'] === 'string';

/** Of a chain `a && b && c` one at a time is left out. */
function removeOperands({ node, path }: Place): readonly Edit[] {
  const operator = node['operator'];
  const isChain = (other: Node | undefined): boolean =>
    other?.type === 'LogicalExpression' && other['operator'] === operator;
  if (isChain(path[0])) return [];
  const operandsOf = (part: Node): readonly Node[] =>
    isChain(part) ? [...operandsOf(child(part, 'left')), child(part, 'right')] : [part];
  return withoutOne(operandsOf(node)).map((cut) => ({ ...cut, kind: 'operand removed', shown: node }));
}

/** For each of several pieces in a row: what to cut, together with what stands between it and its neighbour. */
function withoutOne(pieces: readonly Node[]): readonly { start: number; end: number; text: string }[] {
  return pieces.map(({ start, end }, index) => {
    const [before, after] = [pieces[index - 1], pieces[index + 1]];
    if (before) return { start: before.end, end, text: '' };
    return { start, end: after?.start ?? end, text: '' };
  });
}

function removeEach(node: Node, field: string, kind: string): readonly Edit[] {
  return withoutOne(children(node, field)).map((cut) => ({ ...cut, kind, shown: node }));
}

function removeNot({ node }: Place): readonly Edit[] {
  if (node['operator'] !== '!') return [];
  const { start } = child(node, 'argument');
  return [{ start: node.start, end: start, text: '', kind: '! removed', shown: node }];
}

/** Comparisons and `!` are negated where they stand. */
const negatedElsewhere = (test: Node): boolean => ['BinaryExpression', 'UnaryExpression'].includes(test.type);

function forceCondition({ node, source }: Place): readonly Edit[] {
  const test = child(node, 'test');
  const { start, end } = test;
  const guards = node.type === 'IfStatement' && !node['alternate'] && leaves(child(node, 'consequent'));
  const negation = `!(${source.slice(start, end)})`;
  const edits: Edit[] = [
    { start, end, text: 'true', kind: 'condition true', shown: test },
    { start, end, text: 'false', kind: guards ? 'guard removed' : 'condition false', shown: test },
  ];
  if (!negatedElsewhere(test)) edits.push({ start, end, text: negation, kind: 'condition negated', shown: test });
  return edits;
}

function leaves(statement: Node): boolean {
  if (statement.type === 'BlockStatement') return children(statement, 'body').some(leaves);
  return ['ReturnStatement', 'ThrowStatement', 'ContinueStatement', 'BreakStatement'].includes(statement.type);
}

function changeLiteral({ node, path }: Place): readonly Edit[] {
  const { start, end, value } = node;
  const parent = path[0];
  if (!parent || isName(node, parent)) return [];
  const to = (text: string, kind: string): Edit => ({ start, end, text, kind, shown: parent });
  if (node['regex']) return regexSlips(node).map((text) => to(text, 'expression changed'));
  if (typeof value === 'number') return numberSlips(value).map((text) => to(text, 'number changed'));
  if (typeof value === 'boolean') return [to(String(!value), 'truth negated')];
  // Prose is for people; a word is for the machine.
  if (typeof value === 'string' && !/\s/.test(value)) return [to(value === '' ? `'mutant'` : `''`, 'word changed')];
  return [];
}

/** Keys; and the words of `=== 'word'` and of a list, where the comparison is swapped and the entry removed. */
function isName(node: Node, parent: Node): boolean {
  if (parent.type === 'ArrayExpression') return typeof node['value'] === 'string';
  if (parent.type === 'Property') return parent['key'] === node;
  if (parent.type === 'BinaryExpression') return typeof node['value'] === 'string';
  return parent.type === 'ExpressionStatement';
}

const numberSlips = (value: number): readonly string[] => [String(value * 2 || 1), ...(value === 0 ? [] : ['0'])];

function regexSlips(node: Node): readonly string[] {
  const { pattern, flags } = node['regex'] as { readonly pattern: string; readonly flags: string };
  const slips = [pattern.replace(/^\^/, ''), pattern.replace(/\$$/, ''), pattern.replaceAll('+', '')];
  const changed = [...new Set(slips)].filter((slip) => slip !== pattern).map((slip) => `/${slip}/${flags}`);
  return flags === '' ? changed : [...changed, `/${pattern}/`];
}

/** One without a space is a key, a path or what is hashed. */
function emptyTemplate({ node, path, source }: Place): readonly Edit[] {
  const { start, end } = node;
  if (/\s/.test(source.slice(start, end)) || path[0]?.type === 'TaggedTemplateExpression') return [];
  return [{ start, end, text: `''`, kind: 'word changed', shown: path[0] ?? node }];
}

function changeReason({ node, path }: Place): readonly Edit[] {
  if (child(node, 'object')['name'] !== 'Reason') return [];
  const { start, end, name } = child(node, 'property');
  const text = name === 'Pending' ? 'Available' : 'Pending';
  return [{ start, end, text, kind: 'reason changed', shown: path[0] ?? node }];
}

/** '' takes the call away and leaves what it was called on. */
const otherMethods: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  find: 'findLast',
  findLast: 'find',
  min: 'max',
  max: 'min',
  floor: 'ceil',
  ceil: 'floor',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
  filter: '',
  sort: '',
  toSorted: '',
  toReversed: '',
  slice: '',
  trim: '',
  toLowerCase: '',
  replace: '',
  replaceAll: '',
};

function changeCall({ node }: Place): readonly Edit[] {
  const callee = child(node, 'callee');
  if (callee.type !== 'MemberExpression') return [];
  const [object, property] = [child(callee, 'object'), child(callee, 'property')];
  const name = String(property['name']);
  if (object['name'] === 'Math' && name === 'abs')
    return [{ start: node.start, end: callee.end, text: '', kind: 'abs removed', shown: node }];
  const other = Object.hasOwn(otherMethods, name) ? otherMethods[name] : undefined;
  if (other === undefined) return [];
  if (other === '') return [{ start: object.end, end: node.end, text: '', kind: `${name} removed`, shown: node }];
  return [{ start: property.start, end: property.end, text: other, kind: `${name} → ${other}`, shown: node }];
}

function removeSpreads({ node }: Place): readonly Edit[] {
  const properties = children(node, 'properties');
  return withoutOne(properties)
    .filter((_, index) => properties[index]?.type === 'SpreadElement')
    .map((cut) => ({ ...cut, kind: 'spread removed', shown: node }));
}

function removeStatement({ node }: Place): readonly Edit[] {
  if (node['directive']) return [];
  return [{ start: node.start, end: node.end, text: ';', kind: 'statement removed', shown: node }];
}
