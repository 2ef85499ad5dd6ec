import { z } from 'zod';
import { ActionName, Id } from '../../../protocol/ids.js';
import { Risk } from '../../../protocol/messages/capabilities.js';
import { BaseUrl } from '../../http/integration-schemas.js';

/** What a file of adapters takes at most. */
export const MAX_DECLARED_BYTES = 256 * 1024;

const MAX_ADAPTERS = 50;
const MAX_ACTIONS = 100;
const MAX_PARAMETERS = 64;

const ParameterId = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, 'must be a letter and then letters, digits and _');

/** `/repos/{owner}/issues`: each segment is a fixed text or one parameter. */
const PathTemplate = z
  .string()
  .max(512)
  .regex(
    /^(\/([A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,99}|\{[A-Za-z][A-Za-z0-9_]{0,62}\})?)*$/,
    'must begin with /, and each of its parts be letters, digits and _ . ~ -, or one {parameter}',
  )
  .describe('Below the base URL; each part is a fixed text or one {parameter}');

const HeaderName = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, 'must be the name of a header in small letters');
const HeaderValue = z
  .string()
  .max(512)
  .regex(/^[\x20-\x7e]*$/, 'must be ASCII on one line');

const DeclaredParameter = z.strictObject({
  name: ParameterId,
  type: z.enum(['string', 'number', 'boolean', 'object']).default('string'),
  required: z.boolean().default(false),
  description: z.string().max(1024).default(''),
});
export type DeclaredParameter = Readonly<z.infer<typeof DeclaredParameter>>;

/** A value that is `{name}` and nothing else stands for the parameter, in its type; what is not given is left out. */
const Template = z.union([z.string().max(4096), z.number(), z.boolean()]);

const DeclaredAction = z
  .strictObject({
    name: ActionName,
    description: z.string().max(1024).default(''),
    risk: Risk,
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
    path: PathTemplate,
    query: z.record(z.string().min(1).max(128), Template).default({}),
    body: z.unknown().optional().describe('Sent as JSON'),
    answer: z.enum(['object', 'list']).optional().describe('What a success answers; anything else has failed then'),
    parameters: z.array(DeclaredParameter).max(MAX_PARAMETERS).default([]),
  })
  .superRefine((action, context) => {
    for (const message of faultsOf(action)) context.addIssue({ code: 'custom', message });
  });
export type DeclaredAction = Readonly<z.infer<typeof DeclaredAction>>;

const DeclaredAdapter = z.strictObject({
  name: Id,
  base_url: BaseUrl,
  token_header: HeaderName.default('authorization').describe('The header with the token'),
  token_prefix: HeaderValue.default('Bearer ').describe('What stands before the token'),
  headers: z.record(HeaderName, HeaderValue).default({}).describe('Sent with every request'),
  test: PathTemplate.refine((path) => !path.includes('{'), 'takes no parameter').describe(
    'What a connection test asks with GET, such as /user',
  ),
  actions: z
    .array(DeclaredAction)
    .min(1)
    .max(MAX_ACTIONS)
    .refine((actions) => isUnique(actions), 'names an action twice'),
});
export type DeclaredAdapter = Readonly<z.infer<typeof DeclaredAdapter>>;

/** The file that `controller.integrations_file` names. */
export const DeclaredAdapters = z.strictObject({
  v: z.literal(1).describe('Version of this format'),
  adapters: z
    .array(DeclaredAdapter)
    .max(MAX_ADAPTERS)
    .refine((adapters) => isUnique(adapters), 'names an adapter twice'),
});

/** The parameter that a template stands for; undefined for what stands for itself. */
export function holeOf(template: unknown): string | undefined {
  return typeof template === 'string' ? /^\{([A-Za-z][A-Za-z0-9_]{0,62})\}$/.exec(template)?.[1] : undefined;
}

/** A path in its parts; `hole` is the parameter that stands there. */
export function partsOf(path: string): readonly Readonly<{ text: string; hole: string | undefined }>[] {
  return path.split('/').map((text) => ({ text, hole: holeOf(text) }));
}

function* faultsOf({ name, path, query, body, parameters, method }: DeclaredAction): Generator<string> {
  const types = new Map(parameters.map((each) => [each.name, each]));
  if (types.size < parameters.length) yield `${name}: names a parameter twice`;
  if (method === 'GET' && body !== undefined) yield `${name}: a GET has no body`;
  const inPath = partsOf(path).flatMap(({ hole = [] }) => hole);
  const inQuery = Object.values(query).flatMap((each) => holeOf(each) ?? []);
  const used = new Set([...inPath, ...inQuery, ...holesIn(body)]);
  for (const each of used) if (!types.has(each)) yield `${name}: {${each}} is none of its parameters`;
  for (const each of types.keys()) if (!used.has(each)) yield `${name}: the parameter ${each} is used nowhere`;
  for (const each of inPath) {
    const { type, required } = types.get(each) ?? {};
    if (required !== true || type === 'object')
      yield `${name}: ${each} stands in the path, so it must be required and no object`;
  }
  for (const each of inQuery) {
    if (types.get(each)?.type === 'object') yield `${name}: ${each} stands in the query, so it must be no object`;
  }
}

function holesIn(template: unknown): string[] {
  if (typeof template !== 'object' || template === null) return [holeOf(template) ?? []].flat();
  return Object.values(template).flatMap(holesIn);
}

function isUnique(items: readonly Readonly<{ name: string }>[]): boolean {
  return new Set(items.map(({ name }) => name)).size === items.length;
}
