import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpening, type Opening } from '../../../agent/session/opening.js';
import type { ReceiveContext } from '../../../agent/session/receive.js';
import { signEnvelope } from '../../../protocol/envelope.js';
import { isMusterError } from '../../../protocol/errors.js';
import { generateKeyPair, type KeyPair } from '../../../runtime/key-file.js';
import type { IncomingMessage } from '../../../runtime/mqtt-session.js';
import { assertRejectsCode, assertThrowsCode } from '../../support/assert-code.js';
import { ENVELOPE_EXAMPLES } from '../../support/examples.js';

const controller = generateKeyPair();
const REQUEST_EXAMPLE = ENVELOPE_EXAMPLES['muster-request'];
const NODE = 'pump-7';

const context: ReceiveContext = {
  org: REQUEST_EXAMPLE.org,
  node: NODE,
  processId: '',
  keys: {
    version: 1,
    notAfterMs: Number.POSITIVE_INFINITY,
    keyOf: (kid) => (kid === controller.public.kid ? { key: controller.public.key, role: 'controller' } : undefined),
    renew: () => false,
  },
  maxPacketBytes: 1024 * 1024,
  standing: () => undefined,
  isFirst: () => true,
  onLate: () => undefined,
};

/** A request that `about` tells from others, with so many bytes of parameters that have to be hashed. */
function requestOf(about: string, { signer = controller, bytes = 0 }: { signer?: KeyPair; bytes?: number } = {}) {
  const payload = {
    ...REQUEST_EXAMPLE,
    target: { node: NODE },
    roster_at: undefined,
    triggered_by: { type: 'test', id: about },
    parameters: Object.fromEntries(Array.from({ length: bytes / 4096 }, (_, at) => [`p${at}`, 'x'.repeat(4096)])),
  };
  const jws = signEnvelope('muster-request', JSON.stringify(payload), {
    ...signer.signing,
    kid: controller.public.kid,
  });
  return { kind: 'node_request', levels: { node: NODE }, payload: Buffer.from(jws) } satisfies IncomingMessage;
}

/** Notes what is handed on. */
function listen(): {
  heard: string[];
  give: (opening: Opening, message: IncomingMessage, isAlone?: boolean) => Promise<void>;
} {
  const heard: string[] = [];
  return {
    heard,
    give: (opening, message, isAlone = false) =>
      opening.take(message, {
        isAlone,
        next: async ({ request }) => void heard.push(request.triggered_by?.id ?? ''),
      }),
  };
}

test('a request that is alone is handed on before anything else happens', async () => {
  const opening = createOpening(context);
  const { heard, give } = listen();

  const given = give(opening, requestOf('alone'), true);

  assert.deepEqual(heard, ['alone']);
  await given;
});

test('requests that are checked on several threads are handed on in the order in which they came', async () => {
  const opening = createOpening(context);
  const { heard, give } = listen();
  const names = Array.from({ length: 20 }, (_, at) => String(at));
  const messages = names.map((name, at) => requestOf(name, { bytes: at % 5 === 0 ? 14 * 4096 : 0 }));

  // The last comes when nothing else is under way any more, as far as its caller knows.
  await Promise.all(messages.map((message, at) => give(opening, message, at === messages.length - 1)));

  assert.deepEqual(heard, names);
});

test('what another key has signed is never handed on, and holds back nobody', async () => {
  const opening = createOpening(context);
  const { heard, give } = listen();
  const forged = (): IncomingMessage => requestOf('forged', { signer: generateKeyPair() });

  const ends = [give(opening, requestOf('before')), give(opening, forged()), give(opening, requestOf('after'))];
  await assertRejectsCode(Promise.all(ends), 'bad_signature');
  await Promise.allSettled(ends);

  assert.deepEqual(heard, ['before', 'after']);
  assertThrowsCode(() => give(opening, forged(), true), 'bad_signature');
});

test('past 64 signatures on other threads the next are checked at once, and handed on in their turn', async () => {
  const opening = createOpening(context);
  const { heard, give } = listen();
  const names = Array.from({ length: 70 }, (_, at) => String(at));
  const messages = names.map((name) => requestOf(name));
  const forged = requestOf('forged', { signer: generateKeyPair() });

  const given = messages.slice(0, 63).map((message) => give(opening, message));
  const aside = give(opening, forged);
  assertThrowsCode(() => give(opening, forged), 'bad_signature');
  given.push(...messages.slice(63).map((message) => give(opening, message)));
  assert.deepEqual(heard, []);
  await assertRejectsCode(aside, 'bad_signature');
  await Promise.all(given);

  assert.deepEqual(heard, names);
});

test('of requests that wait for their turn 2 MiB are kept and more is refused, until they have been handed on', async () => {
  const opening = createOpening(context);
  const { heard, give } = listen();
  const message = requestOf('large', { bytes: 14 * 4096 });
  const fitting = Math.floor((2 * 1024 * 1024) / message.payload.length);
  assert.ok(fitting < 64);

  const given = Array.from({ length: fitting }, () => give(opening, message));
  assertThrowsCode(() => give(opening, message), 'max_concurrent_reached');
  await Promise.all(given);
  await give(opening, message);

  assert.equal(heard.length, fitting + 1);
});

test('a forged request leaves its room to others', async () => {
  const opening = createOpening(context);
  const { give } = listen();
  const forged = requestOf('forged', { signer: generateKeyPair(), bytes: 14 * 4096 });
  const fitting = Math.floor((2 * 1024 * 1024) / forged.payload.length);

  for (let round = 0; round < 2; round += 1) {
    const ends = await Promise.allSettled(Array.from({ length: fitting }, () => give(opening, forged)));
    for (const end of ends) assert.ok(end.status === 'rejected' && isMusterError(end.reason, 'bad_signature'));
  }
});
