import { type EnvelopeType, type SigningKey, signEnvelope, signEnvelopeAside } from '../../protocol/envelope.js';
import type { RejectionReason } from '../../protocol/messages/ack.js';
import type { Reply } from '../../protocol/messages/reply.js';
import type { MqttSession } from '../../runtime/mqtt-session.js';
import type { Speaker } from '../executor/to-result.js';

/** What an agent says, signed, on its own topics. Each throws {MusterError} not_connected or deadline_passed. */
export type Voice = Readonly<{
  hello: (payload: string) => Promise<void>;
  ack: (ack: Readonly<{ executionId: string; requestSha256: string; reason: RejectionReason | '' }>) => Promise<void>;
  output: (payload: Buffer) => Promise<void>;
  result: (payload: Buffer) => Promise<void>;
  reply: (reply: Omit<Reply, 'v' | 'node' | 'org'>) => Promise<void>;
  capabilities: (payload: Buffer) => Promise<void>;
  /** Plain JSON. */
  status: (payload: string) => Promise<void>;
  metrics: (payload: string) => Promise<void>;
}>;

/** With fewer results under way than this the main thread has time for their signatures. */
const FEW_UNDER_WAY = 8;

type SignedKind = 'hello' | 'ack' | 'output' | 'result' | 'reply' | 'capabilities';

/** A voice on this session with the node's own key. */
export function createVoice(
  session: MqttSession,
  { speaker, signing }: { speaker: Speaker; signing: SigningKey },
): Voice {
  const { org, node } = speaker;
  const say = (kind: SignedKind, payload: string | Buffer): Promise<void> => {
    const typ: EnvelopeType = `muster-${kind}`;
    return session.publish(kind, { node }, signEnvelope(typ, payload, signing));
  };
  let resultsUnderWay = 0;

  /** Of many results the order says nothing, so each is signed on another thread and goes out when it is. */
  async function sayResult(payload: Buffer): Promise<void> {
    resultsUnderWay += 1;
    try {
      if (resultsUnderWay < FEW_UNDER_WAY) await say('result', payload);
      else await session.publish('result', { node }, await signEnvelopeAside('muster-result', payload, signing));
    } finally {
      resultsUnderWay -= 1;
    }
  }

  return {
    hello: (payload) => say('hello', payload),
    ack: ({ executionId, requestSha256, reason }) =>
      say(
        'ack',
        JSON.stringify({
          v: 1,
          execution_id: executionId,
          node,
          org,
          request_sha256: requestSha256,
          status: reason === '' ? 'accepted' : 'rejected',
          reason,
        }),
      ),
    output: (payload) => say('output', payload),
    result: sayResult,
    reply: (reply) => say('reply', JSON.stringify({ v: 1, node, org, ...reply })),
    capabilities: (payload) => say('capabilities', payload),
    status: (payload) => session.publish('status', { node }, payload),
    metrics: (payload) => session.publish('metrics', { node }, payload),
  };
}
