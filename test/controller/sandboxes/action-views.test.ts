import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IntegrationView } from '../../../controller/http/integration-schemas.js';
import type { ActionView } from '../../../controller/http/schemas.js';
import { pageOfAvailable } from '../../../controller/sandboxes/action-views.js';
import { assertThrowsCode } from '../../support/assert-code.js';

const SENTRY: IntegrationView = {
  ...{ id: '018f2a10-0000-7000-8000-000000000000', name: 'sentry', adapter: 'sentry', base_url: 'https://x.example' },
  ...{ provider: 'stored', settings: {}, status: 'active', created_at: '2026-01-01T00:00:00.000Z', created_by: 'ann' },
  actions: [{ name: 'get_issue', description: '', risk: 'read', params: [] }],
};

test('A-69: what is available comes in pages, integrations first, each node with all of its actions', () => {
  const actions = [offered('gather_info', ['pump-1', 'a-node', 'pump-2']), offered('prime', ['pump-2'])];

  const first = pageOfAvailable([SENTRY], actions, { limit: 2 });
  const second = pageOfAvailable([SENTRY], actions, { limit: 2, cursor: first.next_cursor ?? undefined });

  assert.deepEqual(namesOf(first), ['sentry: get_issue', 'node:a-node: gather_info']);
  assert.deepEqual(namesOf(second), ['node:pump-1: gather_info', 'node:pump-2: gather_info prime']);
  assert.equal(second.next_cursor, null);
  assertThrowsCode(() => pageOfAvailable([], actions, { limit: 2, cursor: 'AAAA' }), 'invalid_request');
});

function namesOf({ items }: ReturnType<typeof pageOfAvailable>): string[] {
  return items.map(({ integration, actions }) => `${integration}: ${actions.map(({ name }) => name).join(' ')}`);
}

function offered(name: string, nodes: string[]): ActionView {
  const shared = { name, kind: 'builtin', description: '', risk: 'read', parameters: [], timeout: null } as const;
  return { ...shared, parameters: [], nodes };
}
