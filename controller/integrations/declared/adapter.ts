import { z } from 'zod';
import { type ActionDefinition, defineAction, type Params } from '../action.js';
import { type Adapter, defineAdapter } from '../adapter.js';
import { toSegment } from '../path.js';
import { type DeclaredAction, type DeclaredAdapter, type DeclaredParameter, holeOf, partsOf } from './document.js';

const TYPES = {
  string: z.string().max(65_536),
  number: z.number(),
  boolean: z.boolean(),
  object: z.record(z.string(), z.unknown()),
} as const;

/** A value for a place in a query or a path. */
const Plain = z.union([z.string(), z.number(), z.boolean()]);

/** An adapter as a file declares it. */
export function toAdapter(declared: DeclaredAdapter): Adapter {
  const { name, base_url, token_header, token_prefix, headers, test, actions } = declared;
  return defineAdapter({
    integration: name,
    baseUrl: base_url,
    headersFor: (token) => ({ ...headers, [token_header]: `${token_prefix}${token}` }),
    check: (via) => via({ path: test }),
    actions: actions.map((action) => toAction(action, headers)),
  });
}

function toAction(action: DeclaredAction, headers: DeclaredAdapter['headers']): ActionDefinition {
  const { name, description, risk, method, path, query, body, parameters, answer } = action;
  const promised = answer ?? (method === 'GET' ? 'json' : undefined);
  return defineAction({
    ...{ name, description, risk },
    params: Object.fromEntries(parameters.map((each) => [each.name, schemaOf(each)])),
    details: { action, headers },
    run: (params, via) =>
      via({
        method,
        path: fillPath(path, params),
        query: fillQuery(query, params),
        isSafe: method === 'GET' || risk === 'read',
        ...(body === undefined ? {} : { body: fill(body, params) }),
        ...(promised === undefined ? {} : { answer: promised }),
      }),
  });
}

function schemaOf({ type, required, description }: DeclaredParameter): z.ZodType {
  const schema = TYPES[type].describe(description);
  return required ? schema : schema.optional();
}

/** Each parameter stays one segment. @throws {MusterError} invalid_parameter */
function fillPath(path: string, params: Params): string {
  return partsOf(path)
    .map(({ text, hole }) => (hole === undefined ? text : toSegment(String(Plain.parse(params[hole])))))
    .join('/');
}

function fillQuery(query: DeclaredAction['query'], params: Params): Record<string, string | number | boolean> {
  const filled = Object.entries(query).map(([name, template]) => [name, fill(template, params)] as const);
  return Object.fromEntries(
    filled.flatMap(([name, value]) => (value === undefined ? [] : [[name, Plain.parse(value)]])),
  );
}

/** A template with its parameters in place; members and items whose parameter was not given are left out. */
function fill(template: unknown, params: Params): unknown {
  const hole = holeOf(template);
  if (hole !== undefined) return params[hole];
  if (Array.isArray(template)) {
    return template.map((item) => fill(item, params)).filter((item) => item !== undefined);
  }
  if (typeof template !== 'object' || template === null) return template;
  const members = Object.entries(template).map(([name, member]) => [name, fill(member, params)] as const);
  return Object.fromEntries(members.filter(([, member]) => member !== undefined));
}
