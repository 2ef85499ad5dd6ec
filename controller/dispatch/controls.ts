import { randomUUID } from 'node:crypto';
import { sha256Hex } from '../../protocol/envelope.js';
import { type Control, MAX_CONTROL_LIFE_MS } from '../../protocol/messages/control.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { BrokerLink } from '../broker-link.js';
import type { Keyring } from '../identity/keyring.js';

type Head = 'v' | 'control_id' | 'org' | 'node' | 'issued_at' | 'expires_at';
type WithoutHead<C> = C extends unknown ? Omit<C, Head> : never;

/** A control without what every control has. */
export type ControlBody = WithoutHead<Control>;

/** By what a reply names the control that it answers. */
export type SentControl = Readonly<{ controlId: string; sha256: string }>;

/** Signs controls and publishes each on its node's own topic. */
export type Controls = Readonly<{
  /** Resolves when the broker has taken it. @throws {MusterError} not_connected, deadline_passed */
  send: (node: string, body: ControlBody) => Promise<SentControl>;
  /**
   * Publishes without waiting for the broker: for whoever answers a message, since its acknowledgement comes on the
   * very stream that a held message holds back.
   */
  post: (node: string, body: ControlBody) => SentControl;
}>;

export function createControls(deps: {
  link: BrokerLink;
  keyring: Keyring;
  clock: Clock;
  org: string;
  log: Logger;
}): Controls {
  const { link, keyring, clock, org, log } = deps;

  function publish(node: string, body: ControlBody): { sent: SentControl; taken: Promise<void> } {
    const nowMs = clock.nowMs();
    const controlId = randomUUID();
    const payload = JSON.stringify({
      v: 1,
      control_id: controlId,
      org,
      node,
      issued_at: toTime(nowMs),
      expires_at: toTime(nowMs + MAX_CONTROL_LIFE_MS),
      ...body,
    });
    const taken = link.publish('control', { node }, keyring.sign('muster-control', payload));
    return { sent: { controlId, sha256: sha256Hex(payload) }, taken };
  }

  return {
    async send(node, body) {
      const { sent, taken } = publish(node, body);
      await taken;
      return sent;
    },
    post(node, body) {
      const { sent, taken } = publish(node, body);
      taken.catch((err: unknown) => log.debug({ err, node, kind: body.kind }, 'control not published'));
      return sent;
    },
  };
}
