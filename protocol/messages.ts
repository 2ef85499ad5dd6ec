import type { z } from 'zod';
import { AuditHead } from './audit-head.js';
import { BrokerClaims } from './broker-token.js';
import type { EnvelopeType } from './envelope.js';
import { KeyListPayload } from './key-list.js';
import { Ack } from './messages/ack.js';
import { Capabilities } from './messages/capabilities.js';
import { Control } from './messages/control.js';
import { Enroll, Enrolled, Renew } from './messages/enrollment.js';
import { Hello } from './messages/hello.js';
import { Metrics } from './messages/metrics.js';
import { Output } from './messages/output.js';
import { Reply } from './messages/reply.js';
import { Request } from './messages/request.js';
import { Result } from './messages/result.js';
import { Status } from './messages/status.js';
import { RevocationsPayload } from './revocations.js';
import type { TopicKind } from './topics.js';

/** What each topic carries: a JWS of this `typ`, plain JSON, or a sealed terminal frame. */
export const TOPIC_BODIES = {
  node_request: { typ: 'muster-request', schema: Request },
  group_request: { typ: 'muster-request', schema: Request },
  fleet_request: { typ: 'muster-request', schema: Request },
  control: { typ: 'muster-control', schema: Control },
  hello: { typ: 'muster-hello', schema: Hello },
  ack: { typ: 'muster-ack', schema: Ack },
  output: { typ: 'muster-output', schema: Output },
  result: { typ: 'muster-result', schema: Result },
  reply: { typ: 'muster-reply', schema: Reply },
  capabilities: { typ: 'muster-capabilities', schema: Capabilities },
  status: { typ: 'json', schema: Status },
  metrics: { typ: 'json', schema: Metrics },
  terminal_in: { typ: 'sealed frame', schema: undefined },
  terminal_out: { typ: 'sealed frame', schema: undefined },
} as const satisfies Record<TopicKind, { typ: EnvelopeType | 'json' | 'sealed frame'; schema: z.ZodType | undefined }>;

/** The payload schema of every signed message, also of those that travel over HTTP or inside others. */
export const ENVELOPE_SCHEMAS = {
  'muster-request': Request,
  'muster-control': Control,
  'muster-hello': Hello,
  'muster-ack': Ack,
  'muster-output': Output,
  'muster-result': Result,
  'muster-reply': Reply,
  'muster-capabilities': Capabilities,
  'muster-audit-head': AuditHead,
  'muster-keys': KeyListPayload,
  'muster-revocations': RevocationsPayload,
  'muster-enroll': Enroll,
  'muster-enrolled': Enrolled,
  'muster-renew': Renew,
  'muster-broker+jwt': BrokerClaims,
} as const satisfies Record<EnvelopeType, z.ZodType>;
