import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, MusterError } from '../../protocol/errors.js';
import { createLogger } from '../../runtime/logger.js';
import { createRefusals } from '../../runtime/refusals.js';

test('a flood is counted in full and logged once per kind and minute, with how many were left out', () => {
  const lines: Record<string, unknown>[] = [];
  const counted: ErrorCode[] = [];
  let nowMs = 0;
  const refusals = createRefusals({
    log: createLogger('agent', { destination: { write: (line) => lines.push(JSON.parse(line)) } }),
    clock: { nowMs: () => 0, monotonicMs: () => nowMs },
    count: (code) => counted.push(code),
  });
  const note = (code: ErrorCode): void => refusals.note(new MusterError(code, 'x'.repeat(500)), { topic: 'hello' });

  for (let i = 0; i < 100; i += 1) note('bad_signature');
  note('unknown_key');
  nowMs = 59_999;
  note('bad_signature');
  nowMs = 60_000;
  note('bad_signature');

  assert.equal(counted.length, 103);
  assert.deepEqual(
    lines.map(({ level, msg, code, unlogged, topic }) => ({ level, msg, code, unlogged, topic })),
    [
      { level: 'warn', msg: 'message refused', code: 'bad_signature', unlogged: 0, topic: 'hello' },
      { level: 'warn', msg: 'message refused', code: 'unknown_key', unlogged: 0, topic: 'hello' },
      { level: 'warn', msg: 'message refused', code: 'bad_signature', unlogged: 100, topic: 'hello' },
    ],
  );
  assert.ok(lines.every(({ detail }) => String(detail).length <= 200));
});
