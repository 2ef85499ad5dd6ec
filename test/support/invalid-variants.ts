const manyParameters = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`p${i}`, i]));

/** Ids that would bend a topic or a log line. */
const HOSTILE_IDS = ['a+', '#', 'a/b', '$SYS', 'a\u0000b', 'a\nb', '', 'a'.repeat(64), '../etc', 'a b', 'é'];

type Variant = readonly [why: string, change: Readonly<Record<string, unknown>>];

const hostile = (member: string): Variant[] =>
  HOSTILE_IDS.map((id) => [`${member} is ${JSON.stringify(id)} (S-M-17)`, { [member]: id }]);

/** Changes that make the example of a message invalid, with the reason. */
export const INVALID_VARIANTS = {
  'muster-request': [
    ...hostile('org'),
    ...hostile('action'),
    ...HOSTILE_IDS.flatMap((id): Variant[] => [
      [`target.node is ${JSON.stringify(id)} (S-M-17)`, { target: { node: id } }],
      [`target.group is ${JSON.stringify(id)} (S-M-17)`, { target: { group: id } }],
    ]),
    ['the execution id holds a slash', { execution_id: '0192f0c1-2b3c-7d4e-8f50-6172839405a/' }],
    ['the execution id is a UUIDv4', { execution_id: '1b4e28ba-2fa1-41d2-883f-0016d3cca427' }],
    ['it has two targets', { target: { node: 'a', group: 'b' } }],
    ['it has no target', { target: {} }],
    ['the fleet is false', { target: { fleet: false } }],
    ['a broadcast has no roster_at', { roster_at: undefined }],
    ['a fleet broadcast has no roster_at', { target: { fleet: true }, roster_at: undefined }],
    ['it ends when it begins', { expires_at: '2026-11-21T10:00:00.000Z' }],
    ['it ends before it begins', { expires_at: '2026-11-20T10:00:00.000Z' }],
    ['its window is longer than seven days', { expires_at: '2026-11-28T10:00:00.001Z' }],
    ['its starts lie further apart than seven days', { spread: '168h1ms' }],
    ['its starts lie further apart than a timer waits (2^31 ms)', { spread: '2000h' }],
    ['a time is not UTC', { issued_at: '2026-11-21T10:00:00+02:00' }],
    ['the time-out is zero', { timeout: '0s' }],
    ['the time-out is negative', { timeout: '-1s' }],
    ['the spread is zero', { spread: '0s' }],
    ['it has 65 parameters', { parameters: manyParameters }],
    ['a parameter is an object', { parameters: { a: {} } }],
    ['a parameter is null', { parameters: { a: null } }],
    ['a parameter has no name', { parameters: { '': 1 } }],
    ['a parameter name holds a control character', { parameters: { 'a\u0007': 1 } }],
    ['a parameter name is longer than 63', { parameters: { ['a'.repeat(64)]: 1 } }],
    ['the parameters are larger than 64 KiB', { parameters: { a: 'x'.repeat(40_000), b: 'x'.repeat(40_000) } }],
    ['the checksum is in capitals', { checksum: 'A'.repeat(64) }],
    ['triggered_by is larger than 4 KiB', { triggered_by: { type: 'a', id: 'b', extra: 'x'.repeat(5000) } }],
  ],
  'muster-control': [...hostile('node'), ...hostile('org')],
  'muster-hello': [
    ...hostile('node'),
    ...hostile('org'),
    ['the connection is 0', { connection: 0 }],
    ['it lists more than 500', { running: Array(501).fill('0192f0c1-2b3c-7d4e-8f50-6172839405a6') }],
    ['the nonce is short', { nonce: 'abc' }],
    ['a terminal id is a filter', { terminals: ['+'] }],
    ['the journal went below zero', { journal_seq: -1 }],
  ],
  'muster-ack': [
    ...hostile('node'),
    ...hostile('org'),
    ['it is rejected without a reason', { reason: '' }],
    ['it is accepted with a reason', { status: 'accepted' }],
    ['the reason is unknown', { reason: 'busy' }],
    ['the SHA-256 is short', { request_sha256: 'abc' }],
  ],
  'muster-output': [
    ...hostile('node'),
    ['seq is negative', { seq: -1 }],
    ['seq is a fraction', { seq: 0.5 }],
    ['the stream is stdin', { stream: 'stdin' }],
    ['the piece is larger than any encoding of 48 KiB', { data: 'x'.repeat(96 * 1024 + 1) }],
    ['the encoding is unknown', { encoding: 'latin1' }],
  ],
  'muster-result': [
    ...hostile('node'),
    ...hostile('org'),
    ['it is an error without error_code', { status: 'error' }],
    ['it is a success with error_code', { error_code: 'internal' }],
    ['error_code is a sentence', { status: 'error', error_code: 'It failed' }],
    ['the status is running', { status: 'running' }],
    ['the exit code is below -1', { exit_code: -2 }],
    ['the exit code is above 255', { exit_code: 256 }],
    ['it names no request', { request_sha256: undefined }],
    ['its violation names no file', { violation: { type: 'hook', expected: '', actual: 'a'.repeat(64), detail: '' } }],
    ['it is local and names a request', { origin: 'local', action: 'restart', parameters: {} }],
    ['it is local and names no action', { origin: 'local', request_sha256: undefined, parameters: {} }],
    ['it answers a request and names an action', { action: 'restart' }],
    ['launched is a boolean', { launched: true }],
    ['the inline output is larger than 64 KiB in base64', { stdout: 'x'.repeat(100_000) }],
  ],
  'muster-reply': [
    ...hostile('node'),
    ['it is ok with an error', { ok: true }],
    ['it failed without an error', { error: undefined }],
  ],
  'muster-capabilities': [
    ...hostile('node'),
    ['an action name is a path', { builtin_actions: [{ name: '../x', description: '', parameters: [] }] }],
    [
      'a hook has no checksum',
      { hooks: [{ name: 'a', description: '', parameters: [], source: 'local', sandbox: '' }] },
    ],
    ['a risk is unknown', { builtin_actions: [{ name: 'a', description: '', parameters: [], risk: 'harmless' }] }],
  ],
  'muster-enroll': [...hostile('node_id'), ['the token is longer than 256', { token: 'x'.repeat(257) }]],
  'muster-enrolled': [
    ...hostile('node_id'),
    ['the root is no Ed25519 key', { root: { kty: 'EC', crv: 'P-256', x: 'A' } }],
  ],
  'muster-renew': [...hostile('node'), ['the nonce is no UUID', { nonce: 'abc' }]],
} satisfies Record<string, Variant[]>;
