import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';

/** One fault of a request. `pointer` is a JSON Pointer (RFC 6901) into the part that `detail` speaks of. */
export type Fault = Readonly<{ pointer: string; detail: string }>;

/** More faults than this are not listed. */
const MAX_FAULTS = 20;

/** A request that does not fit its schema, with each field that is at fault. */
export class RequestFault extends MusterError {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super('invalid_request', faults[0]?.detail ?? 'The request does not fit its schema');
    this.faults = faults;
  }
}

/** Fastify's validator: zod's verdict, each fault with a pointer. */
export const compileValidator: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (data) => {
    const parsed = schema.safeParse(data, { reportInput: true }); // so that a missing field can be told from a wrong one
    if (parsed.success) return { value: parsed.data };
    // An id that no id can look like is an address under which there is nothing.
    if (httpPart === 'params') return { error: new MusterError('not_found', 'There is nothing under this address') };
    return { error: new RequestFault(faultsOf(parsed.error.issues, httpPart ?? 'body').slice(0, MAX_FAULTS)) };
  };

/** Each issue as a pointer and a sentence; an unknown field is named by its own pointer. */
export function faultsOf(issues: readonly z.core.$ZodIssue[], part: string): Fault[] {
  return issues.flatMap((issue) => faultsOfIssue(issue, part));
}

function faultsOfIssue(issue: z.core.$ZodIssue, part: string): Fault[] {
  const pointer = pointerOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: `${pointer}${pointerOf([key])}`,
      detail: sentence(part, [...issue.path, key], 'there is no such field'),
    }));
  }
  if (issue.code === 'invalid_union') {
    const near = nearestBranch(issue.errors);
    if (near !== undefined) {
      return faultsOf(
        near.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })),
        part,
      );
    }
  }
  if (issue.code === 'invalid_key') {
    const [inner] = issue.issues;
    return [{ pointer, detail: sentence(part, issue.path, `the name ${inner?.message ?? 'is not allowed'}`) }];
  }
  return [{ pointer, detail: sentence(part, issue.path, isMissing(issue) ? 'is required' : issue.message) }];
}

function isMissing(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.input === undefined;
}

/** The one alternative of a union whose fields were all given and known: what the client meant. */
function nearestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const near = branches.filter((issues) =>
    issues.every((issue) => issue.path.length > 0 && issue.code !== 'unrecognized_keys' && !isMissing(issue)),
  );
  return near.length === 1 ? near[0] : undefined;
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((level) => `/${String(level).slice(0, 128).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function sentence(part: string, path: readonly PropertyKey[], what: string): string {
  const where = path.map((level) => String(level).slice(0, 128)).join('.');
  const place = part === 'querystring' ? 'query' : part;
  return `${where === '' ? `the ${place}` : place === 'body' ? where : `${place} ${where}`}: ${what}`;
}
