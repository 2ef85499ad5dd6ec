import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { pageOf } from '../../../controller/http/schemas.js';
import { startPollingInstallation } from '../../support/polling.js';

const LISTS = [
  'nodes',
  'groups',
  'actions',
  'hooks',
  'users',
  'tokens',
  'enrollment-tokens',
  'node-tokens',
  'invocations',
  'approvals',
  'audit',
  'policy/versions',
];

/** What no list gives. */
const BROKEN = ['', 'x y', '/', '../..', "1_'--", '\0'];

/** Numbers that are none: PostgreSQL takes only whole ones. */
const NUMBERS = [
  '1e400_aaaaaaaa',
  'Infinity_aaaaaaaa',
  '1.5_aaaaaaaa',
  '-1_aaaaaaaa',
  'x_aaaaaaaa',
  '0x10',
  '1.5',
  '1e9',
];
const BY_NUMBER = new Set(['tokens', 'enrollment-tokens', 'node-tokens', 'audit', 'policy/versions']);

test('a cursor that no list gave is answered 400 by every list', async (t) => {
  const { call, people } = await startPollingInstallation(t);

  for (const list of LISTS) {
    const keys = [...BROKEN, ...(BY_NUMBER.has(list) ? NUMBERS : [])];
    const cursors = [...keys.map((key) => Buffer.from(key).toString('base64url')), '%', 'a=', 'é', 'x'.repeat(512)];
    for (const cursor of cursors) {
      const path = `/api/v1/${list}?cursor=${encodeURIComponent(cursor)}`;
      const { status, body } = await call('GET', path, { token: people.owner });
      const answer = z.object({ code: z.string() }).safeParse(body).data;
      assert.deepEqual([status, answer?.code], [400, 'invalid_request'], `${list}: ${cursor}`);
    }
  }
});

test('every list is given page by page, each item once', async (t) => {
  const { call, people, addNode } = await startPollingInstallation(t);
  for (const node of ['kiosk-1', 'kiosk-2', 'kiosk-3']) {
    await addNode(node, [`group-of-${node}`]);
    await call('POST', '/api/v1/enrollment-tokens', { token: people.owner, body: {} });
    const ask = { action: 'message', target: { nodes: [node] }, parameters: { message: node } };
    await call('POST', '/api/v1/invocations', { token: people.operator, body: ask });
  }

  const read = async (path: string): Promise<z.infer<typeof Page>> =>
    Page.parse((await call('GET', `/api/v1/${path}`, { token: people.owner })).body);
  for (const list of LISTS.filter((each) => !['hooks', 'policy/versions'].includes(each))) {
    const whole = await read(`${list}?limit=200`);
    const pieces: unknown[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: z.infer<typeof Page> = await read(`${list}?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      assert.equal(page.items.length, 1, list);
      pieces.push(...page.items);
      cursor = page.next_cursor;
    }
    assert.ok(pieces.length >= 3, list);
    assert.deepEqual(pieces, whole.items, list);
  }
});

const Page = pageOf(z.unknown());
