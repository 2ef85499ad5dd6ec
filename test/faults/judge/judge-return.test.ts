import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeReturn, type Mark, type NodeOutcome, type Order } from './judge-return.js';

const EXPIRES_MS = 100_000;
const SUCCESS: NodeOutcome = { executionId: 'id', requestSha256: 'octets', status: 'success', reason: null };
const EXPIRED: NodeOutcome = { ...SUCCESS, status: 'expired' };

test('an order that was done once on each node is no fault', () => {
  assert.deepEqual(judgeReturn([orderOf({ a: SUCCESS, b: SUCCESS })], [...runOn('a'), ...runOn('b')]), []);
});

test('an order whose time was over may have expired, by whomever it is told, and in the middle of a return also succeeded', () => {
  const rejected = { ...EXPIRED, status: 'rejected', reason: 'expired' };
  const late = { ...EXPIRED, status: 'error', reason: 'expired' };

  assert.deepEqual(judgeReturn([orderOf({ a: EXPIRED, b: rejected, c: late }, 'over')], []), []);
  assert.deepEqual(judgeReturn([orderOf({ a: EXPIRED, b: SUCCESS }, 'closing')], runOn('b')), []);
});

test('what is not in the store, was refused, waits still, or has expired with time left, is lost', () => {
  const refused = { ...EXPIRED, status: 'rejected', reason: 'unknown_action' };
  const waiting = { ...EXPIRED, status: 'queued' };

  for (const one of [refused, waiting, EXPIRED]) assert.deepEqual(kinds([orderOf({ a: one })]), ['lost']);
  assert.deepEqual(kinds([{ ...orderOf({}), nodes: ['a'] }]), ['lost']);
});

test('a second start, and one that nobody asked for, are doubled', () => {
  const order = orderOf({ a: SUCCESS });

  assert.deepEqual(kinds([order], [...runOn('a'), ...runOn('a')]), ['doubled']);
  assert.deepEqual(kinds([order], [...runOn('a'), ...runOn('b')]), ['doubled']);
});

test('a start after the time was over is late, and a start of what has expired says something else than happened', () => {
  const late = runOn('a', EXPIRES_MS + 3_000);

  assert.deepEqual(kinds([orderOf({ a: SUCCESS }, 'closing')], late), ['late']);
  assert.deepEqual(kinds([orderOf({ a: EXPIRED }, 'over')], late), ['late', 'undefined']);
  assert.deepEqual(kinds([orderOf({ a: EXPIRED }, 'over')], runOn('a')), ['undefined']);
});

test('a success without an end is undefined, and an order of two requests is a fault', () => {
  const [begin] = runOn('a');
  const other = { ...SUCCESS, executionId: 'other' };

  assert.deepEqual(kinds([orderOf({ a: SUCCESS })], begin === undefined ? [] : [begin]), ['undefined']);
  const own = { ...SUCCESS, requestSha256: 'own octets' };
  assert.deepEqual(kinds([orderOf({ a: SUCCESS, b: other })], [...runOn('a'), ...runOn('b', 1_000, 'other')]), [
    'other',
  ]);
  assert.deepEqual(kinds([orderOf({ a: SUCCESS, b: own })], [...runOn('a'), ...runOn('b')]), ['other']);
});

function kinds(orders: readonly Order[], marks: readonly Mark[] = []): string[] {
  return judgeReturn(orders, marks).map(({ kind }) => kind);
}

function orderOf(outcomes: Readonly<Record<string, NodeOutcome>>, window: Order['window'] = 'open'): Order {
  const nodes = Object.keys(outcomes);
  return { label: 'order', nodes, expiresMs: EXPIRES_MS, window, outcomes: new Map(Object.entries(outcomes)) };
}

function runOn(node: string, atMs = 1_000, executionId = 'id'): Mark[] {
  return [
    { act: 'begin', executionId, node, atMs },
    { act: 'end', executionId, node, atMs: atMs + 10 },
  ];
}
