import type { z } from 'zod';
import type { EnvelopeType } from '../../protocol/envelope.js';
import type { Control, ControlKind } from '../../protocol/messages/control.js';
import type { Metrics } from '../../protocol/messages/metrics.js';
import type { Status } from '../../protocol/messages/status.js';
import type { ENVELOPE_SCHEMAS } from '../../protocol/messages.js';

const EXECUTION_ID = '0192f0c1-2b3c-7d4e-8f50-6172839405a6';
const BOOT_ID = '6f9619ff-8b86-4d01-b42d-00c04fc964ff';
const PROCESS_ID = 'f81d4fae-7dec-41d0-a765-00a0c91e6bf6';
const CONTROL_ID = '1b4e28ba-2fa1-41d2-883f-0016d3cca427';
const SHA = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const EMPTY_SHA = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const PUBLIC_X = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
const THUMBPRINT = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k';
const ISSUED_AT = '2026-11-21T10:00:00.000Z';

/** A JWS in form only: what stands inside others is opened by its own test. */
const NESTED_JWS = 'eyJhbGciOiJFZERTQSJ9.e30.AAAA';

const controlHead = {
  v: 1,
  control_id: CONTROL_ID,
  org: 'default',
  node: 'pump-7',
  issued_at: ISSUED_AT,
  expires_at: '2026-11-21T10:00:30.000Z',
} as const;
const addressed = { ...controlHead, process_id: PROCESS_ID } as const;

/** One control of each kind that fits its schema. */
export const CONTROL_EXAMPLES: { readonly [K in ControlKind]: Extract<Control, { kind: K }> } = {
  welcome: {
    ...controlHead,
    kind: 'welcome',
    nonce: 'b3BlbnNlc2FtZTEyMzQ1Ng',
    now: ISSUED_AT,
    welcome_seq: 12,
    journal_seq: 40,
    enrolled_at: '2026-11-01T08:00:00Z',
    groups: [{ id: 'pumps', since: '2026-11-01T08:00:00Z' }],
    labels: { site: 'north' },
    wanted: [EXECUTION_ID],
    cancelled: [],
    announce: true,
  },
  receipt: { ...addressed, kind: 'receipt', execution_ids: [EXECUTION_ID] },
  cancel: { ...addressed, kind: 'cancel', execution_id: EXECUTION_ID, reason: 'asked by alice' },
  resend: { ...addressed, kind: 'resend', execution_id: EXECUTION_ID, from_seq: 3 },
  announce: { ...controlHead, kind: 'announce', capabilities: false },
  terminal_open: {
    ...addressed,
    kind: 'terminal_open',
    terminal_id: 't-42',
    handler: 'host/shell',
    command: [],
    tty: true,
    params: {},
    labels: {},
    rows: 24,
    cols: 80,
    public_key: PUBLIC_X,
  },
  terminal_attach: { ...addressed, kind: 'terminal_attach', terminal_id: 't-42', public_key: PUBLIC_X },
  terminal_close: { ...addressed, kind: 'terminal_close', terminal_id: 't-42', reason: 'the token was revoked' },
};

/** One payload of each signed message that fits its schema. */
export const ENVELOPE_EXAMPLES: { readonly [T in EnvelopeType]: z.input<(typeof ENVELOPE_SCHEMAS)[T]> } = {
  'muster-request': {
    v: 1,
    execution_id: EXECUTION_ID,
    org: 'default',
    target: { group: 'pumps' },
    roster_at: ISSUED_AT,
    action: 'backup.run',
    parameters: { path: '/var/lib/app', retries: 3, dry: false },
    timeout: '30s',
    checksum: SHA,
    stream: true,
    spread: '10s',
    issued_at: ISSUED_AT,
    expires_at: '2026-11-22T10:00:00.000Z',
    triggered_by: { type: 'user', id: 'alice', invocation_id: CONTROL_ID, reason: 'before the update' },
  },
  'muster-control': CONTROL_EXAMPLES.welcome,
  'muster-hello': {
    v: 1,
    node: 'pump-7',
    org: 'default',
    boot_id: BOOT_ID,
    process_id: PROCESS_ID,
    connection: 1,
    agent_version: '0.1.0',
    started_at: '2026-11-21T09:59:00.000Z',
    node_time: '2026-11-21T09:59:58.500Z',
    nonce: 'b3BlbnNlc2FtZTEyMzQ1Ng',
    journal_epoch: null,
    journal_seq: 40,
    last_welcome_seq: 11,
    keys_version: 2,
    capabilities_sha256: SHA,
    running: [EXECUTION_ID],
    unreceipted: [],
    unreceipted_count: 0,
    terminals: [],
  },
  'muster-ack': {
    v: 1,
    execution_id: EXECUTION_ID,
    node: 'pump-7',
    org: 'default',
    request_sha256: SHA,
    status: 'rejected',
    reason: 'max_concurrent_reached',
  },
  'muster-output': {
    v: 1,
    execution_id: EXECUTION_ID,
    node: 'pump-7',
    org: 'default',
    seq: 0,
    stream: 'stdout',
    offset: 0,
    data: 'saved 3 files\n',
    encoding: 'utf-8',
    last: false,
  },
  'muster-result': {
    v: 1,
    execution_id: EXECUTION_ID,
    node: 'pump-7',
    org: 'default',
    boot_id: BOOT_ID,
    process_id: PROCESS_ID,
    request_sha256: SHA,
    status: 'success',
    exit_code: 0,
    stdout: 'saved 3 files\n',
    stderr: '',
    stdout_encoding: 'utf-8',
    stderr_encoding: 'utf-8',
    stdout_bytes: 14,
    stderr_bytes: 0,
    stdout_sha256: SHA,
    stderr_sha256: EMPTY_SHA,
    stdout_truncated: false,
    stderr_truncated: false,
    chunks: 0,
    duration: '1.25s',
    duration_ms: 1250,
    finished_at: '2026-11-21T10:00:02.000Z',
    triggered_by: { type: 'user', id: 'alice' },
  },
  'muster-reply': {
    v: 1,
    control_id: CONTROL_ID,
    control_sha256: SHA,
    node: 'pump-7',
    org: 'default',
    ok: false,
    error: {
      code: 'stale',
      title: 'The control came too late',
      message: 'Its expires_at had passed.',
      suggestion: 'Ask again.',
      retryable: true,
      retry_commands: ['muster cancel 1b4e28ba-2fa1-41d2-883f-0016d3cca427'],
    },
  },
  'muster-capabilities': {
    v: 1,
    node: 'pump-7',
    org: 'default',
    binary: { name: 'muster-agent', version: '0.1.0', sha256: SHA },
    builtin_actions: [{ name: 'ping', description: 'Reach a host', risk: 'read', parameters: [{ name: 'host' }] }],
    hooks: [
      {
        name: 'backup.run',
        description: 'Copy the data to the store',
        parameters: [{ name: 'path', type: 'string', required: true, description: 'What to copy' }],
        timeout: '5m',
        source: 'local',
        checksum: SHA,
        sandbox: 'none',
      },
    ],
    containers: [],
    terminals: [],
    limits: { max_concurrent: 5, max_action_timeout: '10m' },
  },
  'muster-keys': {
    v: 1,
    org: 'default',
    version: 2,
    keys: [{ kty: 'OKP', crv: 'Ed25519', x: PUBLIC_X, kid: THUMBPRINT }],
    not_after: '2026-12-21T10:00:00Z',
  },
  'muster-audit-head': { v: 1, seq: 812, hash: SHA, at: ISSUED_AT },
  'muster-revocations': {
    v: 1,
    org: 'default',
    version: 3,
    issued_at: ISSUED_AT,
    nodes: [{ node: 'pump-3', node_key: THUMBPRINT }],
  },
  'muster-enroll': {
    v: 1,
    token: `met_k3v9x2p7_${'a'.repeat(32)}_${THUMBPRINT}`,
    node_id: 'pump-7',
    agent_version: '0.1.0',
    issued_at: ISSUED_AT,
  },
  'muster-enrolled': {
    v: 1,
    token_id: 'k3v9x2p7',
    node_key: THUMBPRINT,
    org: 'default',
    node_id: 'pump-7',
    prefix: 'muster/v1',
    root: { kty: 'OKP', crv: 'Ed25519', x: PUBLIC_X, kid: THUMBPRINT },
    keys: NESTED_JWS,
    broker: { url: 'mqtts://broker.example:8883', username: 'pump-7', password: NESTED_JWS },
    enrolled_at: ISSUED_AT,
  },
  'muster-renew': { v: 1, org: 'default', node: 'pump-7', nonce: CONTROL_ID },
  'muster-broker+jwt': {
    org: 'default',
    sub: 'pump-7',
    role: 'node',
    groups: ['pumps'],
    node_key: THUMBPRINT,
    iat: 1_795_600_000,
    exp: 1_795_686_400,
  },
};

/** What an agent publishes as plain JSON. */
export const STATUS_EXAMPLE: Status = {
  v: 1,
  state: 'online',
  reason: '',
  boot_id: BOOT_ID,
  process_id: PROCESS_ID,
  connection: 1,
  since: ISSUED_AT,
  agent_version: '0.1.0',
};

/** What an agent publishes as plain JSON, at QoS 0. */
export const METRICS_EXAMPLE: Metrics = {
  v: 1,
  node: 'pump-7',
  at: ISSUED_AT,
  samples: [{ name: 'muster_agent_executions_active', labels: {}, value: 1 }],
};
