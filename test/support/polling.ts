import { ensureOwnerToken } from '../../controller/identity/api-tokens.js';
import type { Role } from '../../controller/services.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import type { TestScope } from './broker.js';
import { OWNER, startTestCore, type TestCore } from './core.js';
import { startTestHttp } from './http.js';

/** What a call was answered with; `body` is undefined when there is none. */
export type Answer = Readonly<{ status: number; body: unknown; headers: Headers }>;

type Call = Readonly<{
  token?: string | undefined;
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  raw?: string;
  headers?: Readonly<Record<string, string>>;
}>;

/** A controller with its REST API, people of each role, and nodes that poll. */
export type PollingInstallation = Readonly<{
  muster: TestCore;
  url: string;
  /** API tokens of a person of each role. */
  people: Readonly<Record<Role, string>>;
  /** Makes a node that polls; gives its token. */
  addNode: (node: string, groups?: readonly string[]) => Promise<string>;
  call: (method: string, path: string, call?: Call) => Promise<Answer>;
}>;

export async function startPollingInstallation(
  t: TestScope,
  { clock = SYSTEM_CLOCK, ...rest }: Omit<NonNullable<Parameters<typeof startTestCore>[1]>, 'directory'> = {},
): Promise<PollingInstallation> {
  const muster = await startTestCore(t, { clock, ...rest });
  const owner = (await ensureOwnerToken(muster.store, 'default', clock.nowMs())) ?? '';
  const { people, tokens } = muster.core.services;
  const person = async (role: Exclude<Role, 'owner'>): Promise<string> => {
    await people.createUser(OWNER, { id: `the-${role}`, role });
    return (await tokens.create(OWNER, { user: `the-${role}`, name: 'test' })).token;
  };
  const { url } = await startTestHttp(t, muster.core.services);
  return {
    ...{ muster, url },
    people: { owner, admin: await person('admin'), operator: await person('operator'), viewer: await person('viewer') },
    async addNode(node, groups = []) {
      const { token } = await muster.core.services.polling.createToken(OWNER, {
        node,
        groups: [...groups],
        labels: {},
      });
      return token;
    },
    call: (method, path, call) => callHttp(`${url}${path}`, method, call),
  };
}

async function callHttp(
  address: string,
  method: string,
  { token, body, raw, headers = {} }: Call = {},
): Promise<Answer> {
  const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const answer = await fetch(address, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(content === undefined ? {} : { body: content }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text), headers: answer.headers };
}
