import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOnce, openControl, type ReceiveContext } from '../../../agent/session/receive.js';
import { signEnvelope } from '../../../protocol/envelope.js';
import { generateKeyPair } from '../../../runtime/key-file.js';
import { assertThrowsCode } from '../../support/assert-code.js';
import { CONTROL_EXAMPLES } from '../../support/examples.js';

const controller = generateKeyPair();
const control = CONTROL_EXAMPLES.cancel;
const NOW_MS = Date.parse(control.issued_at);

/** An agent that the example is for, some time after the example was signed. */
function receiver(): ReceiveContext {
  const nowMs = (): number => NOW_MS;
  return {
    org: control.org,
    node: control.node,
    processId: control.process_id,
    keys: {
      version: 1,
      notAfterMs: NOW_MS + 3_600_000,
      keyOf: (kid) => (kid === controller.public.kid ? { key: controller.public.key, role: 'controller' } : undefined),
      renew: () => false,
    },
    maxPacketBytes: 256 * 1024,
    standing: () => ({ nowMs: nowMs(), enrolledAtMs: 0, groups: new Map() }),
    isFirst: createOnce(nowMs),
    onLate: () => undefined,
  };
}

const message = (payload: string) => ({
  kind: 'control' as const,
  levels: {},
  payload: Buffer.from(payload),
  retain: false,
});
const signed = signEnvelope('muster-control', JSON.stringify(control), controller.signing);

test('S-P-65: a control id is not used up by a message whose signature does not hold', () => {
  const context = receiver();
  const stranger = { kid: controller.public.kid, key: generateKeyPair().signing.key };
  const forged = signEnvelope('muster-control', JSON.stringify(control), stranger);

  assertThrowsCode(() => openControl(message(forged), context), 'bad_signature');
  assert.equal(openControl(message(signed), context).control.kind, 'cancel');
  assertThrowsCode(() => openControl(message(signed), context), 'replayed');
});

test('S-P-65: control ids are remembered until a minute after their end, and no longer', () => {
  let nowMs = NOW_MS;
  const isFirst = createOnce(() => nowMs);
  assert.equal(isFirst('one', NOW_MS + 60_000), true);

  nowMs = NOW_MS + 120_000;
  assert.equal(isFirst('two', nowMs + 60_000), true);
  assert.equal(isFirst('one', NOW_MS + 60_000), false);

  nowMs += 1_000;
  assert.equal(isFirst('three', nowMs + 60_000), true);
  assert.equal(isFirst('one', NOW_MS + 60_000), true);
});

test('S-P-65: a control from a time when the controller was ahead is remembered until its end, and keeps no other', () => {
  const yearsMs = 10 * 365 * 24 * 3_600_000;
  let nowMs = NOW_MS + yearsMs;
  const isFirst = createOnce(() => nowMs);
  assert.equal(isFirst('ahead', nowMs + 60_000), true);

  nowMs = NOW_MS;
  assert.equal(isFirst('one', nowMs + 60_000), true);
  nowMs += 121_000;
  assert.equal(isFirst('two', nowMs + 60_000), true);

  assert.equal(isFirst('one', NOW_MS + 60_000), true);
  assert.equal(isFirst('ahead', NOW_MS + yearsMs + 60_000), false);
});
