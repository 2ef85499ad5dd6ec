import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePayload, SIGNERS } from '../../protocol/envelope.js';
import { Ack } from '../../protocol/messages/ack.js';
import { Control } from '../../protocol/messages/control.js';
import { Metrics } from '../../protocol/messages/metrics.js';
import { Status } from '../../protocol/messages/status.js';
import { ENVELOPE_SCHEMAS, TOPIC_BODIES } from '../../protocol/messages.js';
import { TOPICS } from '../../protocol/topics.js';
import { CONTROL_EXAMPLES, ENVELOPE_EXAMPLES, METRICS_EXAMPLE, STATUS_EXAMPLE } from '../support/examples.js';
import { INVALID_VARIANTS } from '../support/invalid-variants.js';

const TYPES = Object.keys(ENVELOPE_SCHEMAS) as (keyof typeof ENVELOPE_SCHEMAS)[];
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

test('every message has an example that fits its schema', () => {
  for (const typ of TYPES) assert.ok(parsePayload(ENVELOPE_SCHEMAS[typ], bytesOf(ENVELOPE_EXAMPLES[typ])), typ);
  for (const control of Object.values(CONTROL_EXAMPLES))
    assert.deepEqual(parsePayload(Control, bytesOf(control)), control);
  assert.deepEqual(parsePayload(Status, bytesOf(STATUS_EXAMPLE)), STATUS_EXAMPLE);
  assert.deepEqual(parsePayload(Metrics, bytesOf(METRICS_EXAMPLE)), METRICS_EXAMPLE);
});

test('every topic carries a body, and every typ has a signer', () => {
  assert.deepEqual(Object.keys(TOPIC_BODIES), Object.keys(TOPICS));
  assert.deepEqual([...TYPES].sort(), Object.keys(SIGNERS).sort());
});

test('unknown members of any message are ignored', () => {
  for (const typ of TYPES) {
    const newer = { ...ENVELOPE_EXAMPLES[typ], added_in_2027: { deep: [1, 2] } };
    assert.deepEqual(
      parsePayload(ENVELOPE_SCHEMAS[typ], bytesOf(newer)),
      parsePayload(ENVELOPE_SCHEMAS[typ], bytesOf(ENVELOPE_EXAMPLES[typ])),
      typ,
    );
  }
});

test('a member that is missing, null or of another type is refused, for every required member of every message', () => {
  for (const typ of TYPES) {
    const example: Readonly<Record<string, unknown>> = { ...ENVELOPE_EXAMPLES[typ] };
    const schema = ENVELOPE_SCHEMAS[typ];
    for (const name of Object.keys(example)) {
      const without = Object.fromEntries(Object.entries(example).filter(([each]) => each !== name));
      const isOptional = schema.safeParse(without).success;
      for (const value of isOptional ? [[[]], Number.NaN] : [undefined, [[]], Number.NaN]) {
        const bent = { ...example, [name]: value };
        assert.equal(schema.safeParse(bent).success, false, `${typ}.${name} = ${String(value)}`);
      }
    }
  }
});

for (const [typ, variants] of Object.entries(INVALID_VARIANTS)) {
  const schema = ENVELOPE_SCHEMAS[typ as keyof typeof INVALID_VARIANTS];
  const example = ENVELOPE_EXAMPLES[typ as keyof typeof INVALID_VARIANTS];
  for (const [why, change] of variants) {
    test(`a ${typ} is refused when ${why}`, () => {
      assert.throws(() => parsePayload(schema, bytesOf({ ...example, ...change })), {
        name: 'MusterError',
        code: 'payload_invalid',
      });
    });
  }
}

for (const [kind, why, change] of [
  ['welcome', 'it lives longer than 60 s', { expires_at: '2026-11-21T10:01:00.001Z' }],
  ['welcome', 'it ends before it begins', { expires_at: '2026-11-21T09:59:59Z' }],
  ['welcome', 'it has no life at all', { expires_at: '2026-11-21T10:00:00Z' }],
  ['welcome', 'the node is in 17 groups', { groups: Array(17).fill({ id: 'a', since: '2026-11-21T10:00:00Z' }) }],
  ['receipt', 'no process is addressed', { process_id: undefined }],
  ['receipt', 'it receipts nothing', { execution_ids: [] }],
  ['cancel', 'the execution id is no UUIDv7', { execution_id: CONTROL_EXAMPLES.cancel.control_id }],
  ['resend', 'it asks from before the first', { from_seq: -1 }],
  ['terminal_open', 'it lives longer than 30 s', { expires_at: '2026-11-21T10:00:30.001Z' }],
  ['terminal_open', 'the terminal id is two levels', { terminal_id: 'a/b' }],
  ['terminal_open', 'the handler is a path', { handler: '../shell' }],
  ['terminal_open', 'the window has no rows', { rows: 0 }],
  ['terminal_attach', 'the key is cut', { public_key: 'AAAA' }],
  ['announce', 'the kind is unknown', { kind: 'reboot' }],
] as const) {
  test(`a control ${kind} is refused when ${why}`, () => {
    const bent = { ...CONTROL_EXAMPLES[kind], ...change };
    assert.throws(() => parsePayload(Control, bytesOf(bent)), { name: 'MusterError', code: 'payload_invalid' });
  });
}

test('P-89, P-91: an ack says accepted, or rejected with one of the known reasons', () => {
  const withReason = (status: string, reason: string): boolean =>
    Ack.safeParse({ ...ENVELOPE_EXAMPLES['muster-ack'], status, reason }).success;

  assert.ok(withReason('accepted', ''));
  for (const reason of [
    'unknown_action',
    'max_concurrent_reached',
    'duplicate_execution_id',
    'shutting_down',
    'actions_disabled',
  ])
    assert.ok(withReason('rejected', reason), reason);
  assert.ok(!withReason('rejected', 'because'));
  assert.ok(!withReason('refused', ''));
});

test('a time-out may be empty or unreadable, since the cap of the node then holds (P-90)', () => {
  for (const timeout of ['', 'soon'])
    assert.ok(
      ENVELOPE_SCHEMAS['muster-request'].safeParse({ ...ENVELOPE_EXAMPLES['muster-request'], timeout }).success,
    );
});

test('64 parameters and a window and a spread of exactly seven days fit', () => {
  const parameters = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`p${i}`, i]));
  const request = {
    ...ENVELOPE_EXAMPLES['muster-request'],
    parameters,
    spread: '168h',
    expires_at: '2026-11-28T10:00:00.000Z',
  };
  assert.ok(ENVELOPE_SCHEMAS['muster-request'].safeParse(request).success);
});
