import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HookView, pageOf } from '../../../controller/http/schemas.js';
import type { Principal, Role } from '../../../controller/services.js';
import { MusterError } from '../../../protocol/errors.js';
import { assertProblem, startTestHttp } from '../../support/http.js';
import { createScriptedServices, tokenOf } from '../../support/scripted-services.js';

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)] as const;

const HOOK: HookView = {
  ...{ node: 'pump-1', name: 'deploy.sh', checksum: A, pinned_checksum: A, changed: false },
  ...{ sandbox: 'none', network: false, writable: [], fault: null },
};

test('an admin and an owner may accept a hook, an operator and a viewer may not', async (t) => {
  const { accept, asked } = await startHooks(t);

  const statuses = [];
  for (const role of ['viewer', 'operator', 'admin', 'owner'] as const) {
    statuses.push((await accept({ checksum: A }, { role })).status);
  }

  assert.deepEqual(statuses, [403, 403, 200, 200]);
  assert.deepEqual(
    asked.map(({ by, hook }) => [by.role, hook]),
    ['admin', 'owner'].map((role) => [role, { node: 'pump-1', name: 'deploy.sh', checksum: A }]),
  );
});

test('acceptance answers the hook as it is pinned now, 404 where there is none, and 409 where it is another', async (t) => {
  const { accept } = await startHooks(t);

  assert.deepEqual(HookView.parse(await (await accept({ checksum: A })).json()), HOOK);
  await assertProblem(await accept({ checksum: A }, { name: 'other' }), 404, 'not_found');
  await assertProblem(await accept({ checksum: B }), 409, 'hook_changed');
});

test('an acceptance without a checksum, with none of SHA-256, or with more than that is no acceptance', async (t) => {
  const { accept, asked } = await startHooks(t);

  for (const body of [{}, { checksum: '' }, { checksum: A.toUpperCase() }, { checksum: A, force: true }, [], null]) {
    await assertProblem(await accept(body), 400, 'invalid_request');
  }
  for (const name of ['a%2Fb', '%2e%2e', 'a%00b', '-x', 'x'.repeat(64)]) {
    assert.notEqual((await accept({ checksum: A }, { name })).status, 200, name);
  }
  assert.deepEqual(asked, []);
});

test('everybody who may read lists hooks, and a query that nobody knows is refused', async (t) => {
  const { url } = await startHooks(t);
  const get = (query: string): Promise<Response> =>
    fetch(`${url}/api/v1/hooks?${query}`, { headers: { authorization: `Bearer ${tokenOf('viewer')}` } });

  const page = pageOf(HookView).parse(await (await get('node=pump-1&name=deploy.sh&changed=false&limit=1')).json());

  assert.deepEqual(page, { items: [HOOK], next_cursor: null });
  for (const query of ['node=a+b', 'name=-', 'changed=yes', 'limit=0', 'limit=201', 'colour=red']) {
    await assertProblem(await get(query), 400, 'invalid_request');
  }
});

async function startHooks(t: Parameters<typeof startTestHttp>[0]) {
  const asked: { by: Principal; hook: { node: string; name: string; checksum: string } }[] = [];
  const { services } = createScriptedServices();
  const { url } = await startTestHttp(t, {
    ...services,
    hooks: {
      list: async () => ({ items: [HOOK], next_cursor: null }),
      async accept(by, hook) {
        asked.push({ by, hook });
        if (hook.checksum !== A) throw new MusterError('hook_changed', 'It is another by now');
        return hook.name === HOOK.name ? HOOK : undefined;
      },
    },
  });
  const accept = (
    body: unknown,
    { role = 'admin', name = HOOK.name }: { role?: Role; name?: string } = {},
  ): Promise<Response> =>
    fetch(`${url}/api/v1/nodes/pump-1/hooks/${name}/accept`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tokenOf(role)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  return { url, accept, asked };
}
