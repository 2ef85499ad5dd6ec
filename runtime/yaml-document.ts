import { isAlias, isNode, isPair, isScalar, Lexer, LineCounter, parseDocument, stringify, visit } from 'yaml';

/** What a YAML text says, or everything that is wrong with it. */
export type ReadYaml = Readonly<{ value: unknown }> | Readonly<{ faults: readonly string[] }>;

/** Nothing of ours is nested deeper than this. */
const MAX_DEPTH = 32;
/** More faults than this are not listed. */
const MAX_FAULTS = 20;
/** In the lexer's words: the token that follows is the text of a scalar. */
const SCALAR = '\x1f';

/**
 * One YAML 1.2 document of plain data, from somebody who is not trusted: no anchors and aliases, which can stand for
 * gigabytes, no tags, no merge keys, no `__proto__`, no name twice, no nesting past 32 levels. JSON is YAML.
 */
export function readYamlDocument(text: string): ReadYaml {
  // The parser recurses, and a stack that runs out inside a regular expression ends the process: no catch helps.
  if (isTooDeep(text)) return { faults: [`it is nested deeper than ${MAX_DEPTH} levels`] };
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    ...{ version: '1.2', schema: 'core', merge: false, resolveKnownTags: false, uniqueKeys: true, stringKeys: true },
    ...{ prettyErrors: false, logLevel: 'error' },
  });
  const faults = [...document.errors, ...document.warnings].map(({ pos: [at], message }) => [at, message] as const);
  visit(document, (_key, node) => {
    const what = faultOf(node);
    if (what !== undefined) faults.push([positionOf(node), what]);
  });
  if (faults.length === 0) return { value: document.toJS({ maxAliasCount: 0 }) };
  const sentences = faults
    .sort(([a], [b]) => a - b)
    .map(([at, what]) => `line ${Math.max(lines.linePos(at).line, 1)}: ${what.slice(0, 200)}`);
  return { faults: [...new Set(sentences)].slice(0, MAX_FAULTS) };
}

/** A value as YAML, for people to read and to change. */
export function writeYaml(value: unknown): string {
  return stringify(value, { lineWidth: 100 });
}

function faultOf(node: unknown): string | undefined {
  if (isAlias(node)) return 'aliases are not allowed';
  if (isNode(node) && 'anchor' in node && node.anchor !== undefined) return 'anchors are not allowed';
  if (isNode(node) && node.tag?.startsWith('!') === true) return 'tags are not allowed';
  if (isPair(node) && isScalar(node.key) && node.key.value === '__proto__') return 'the name __proto__ is not allowed';
  return undefined;
}

function positionOf(node: unknown): number {
  const placed = isPair(node) ? node.key : node;
  return isNode(placed) ? (placed.range?.[0] ?? 0) : 0;
}

/** Counts open brackets, lines that stand deeper than those above, and all that may nest in one line or list member. */
function isTooDeep(text: string): boolean {
  const indents: number[] = [];
  let brackets = 0;
  let indicators = 0;
  let before = '\n';
  for (const token of new Lexer().lex(text)) {
    if (token === (brackets > 0 ? ',' : '\n')) indicators = 0;
    else if (before === '\n') {
      const indent = /^ *$/.test(token) ? token.length : 0;
      while ((indents.at(-1) ?? -1) >= indent) indents.pop();
      indents.push(indent);
    }
    if (before !== SCALAR) {
      if (token === '[' || token === '{') brackets += 1;
      else if (token === ']' || token === '}') brackets = Math.max(brackets - 1, 0);
      else if (token === '-' || token === '?' || token === ':') indicators += 1;
    }
    if (indents.length + brackets + indicators > MAX_DEPTH) return true;
    before = token;
  }
  return false;
}
