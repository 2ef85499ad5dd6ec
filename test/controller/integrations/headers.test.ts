import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { defineAction } from '../../../controller/integrations/action.js';
import { defineAdapter } from '../../../controller/integrations/adapter.js';
import { createAdapters } from '../../../controller/integrations/adapters/list.js';
import { startIntegrations, TOKEN } from '../../support/integrations.js';
import { startStandIn } from '../../support/stand-in.js';

const DATED = defineAdapter({
  integration: 'dated',
  baseUrl: 'https://dated.example',
  headersFor: (token) => ({ 'x-version': '2022-11-28', 'x-second-key': 'static-canary', 'x-user': `ann:${token}` }),
  check: (via) => via({ path: '/' }),
  actions: [
    defineAction({
      ...{ name: 'look', description: 'looks', risk: 'read' },
      params: { what: z.string().optional() },
      run: (_, via) => via({ path: '/' }),
    }),
  ],
});

test('of the headers that an adapter sends only what is a credential is taken out of answers', async (t) => {
  const said = { at: '2022-11-28T10:00:00Z', echo: ['static-canary', `as ann:${TOKEN}.`] };
  const system = await startStandIn(t, () => ({ json: said }));
  const { add, ask } = await startIntegrations(t, { adapters: createAdapters([DATED]) });
  await add('dated', system.url);

  const { result } = (await ask('dated', 'look')).answer;

  assert.deepEqual(result, { at: '2022-11-28T10:00:00Z', echo: ['[redacted]', 'as [redacted].'] });
});
