import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import type { Principal as BrokerPrincipal } from '../../protocol/authorization.js';
import { type BrokerClaims, MAX_BROKER_TOKEN_SECONDS, signBrokerToken } from '../../protocol/broker-token.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import type { BrokerCredential, CreateBrokerCredential } from '../http/schemas.js';
import type { Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Store } from '../store/store.js';
import type { Keyring } from './keyring.js';

/** A password for the broker and when it ends. */
export type BrokerPassword = Readonly<{ password: string; expiresAtMs: number }>;

/** Signs a broker password of the full seven days. That of a node names the node's key, and ends with it. */
export function issueBrokerPassword(
  keyring: Keyring,
  principal: BrokerPrincipal & Readonly<{ nodeKey?: string | undefined }>,
  nowMs: number,
): BrokerPassword {
  const iat = Math.floor(nowMs / 1000);
  const exp = iat + MAX_BROKER_TOKEN_SECONDS;
  const { id, org, role, groups, nodeKey } = principal;
  const claims: BrokerClaims = {
    org,
    sub: id,
    role,
    groups: [...groups],
    iat,
    exp,
    ...(nodeKey && { node_key: nodeKey }),
  };
  return { password: signBrokerToken(claims, keyring.keys.signing), expiresAtMs: exp * 1000 };
}

/** Hands out passwords for the broker. */
export type BrokerCredentialService = Readonly<{
  issue: (
    principal: Principal,
    ask: Readonly<z.infer<typeof CreateBrokerCredential>>,
  ) => Promise<Readonly<z.infer<typeof BrokerCredential>>>;
}>;

/** Credentials for controllers and monitors of other makes; each is a name of its own, so that two never take over. */
export function createBrokerCredentials(deps: {
  store: Store;
  keyring: Keyring;
  clock: Clock;
  brokerUrl: string;
  prefix: string;
}): BrokerCredentialService {
  const { store, keyring, clock, brokerUrl, prefix } = deps;
  return {
    async issue(principal, { role }) {
      const { org } = principal;
      const id = `${role === 'controller' ? 'ctl' : 'mon'}-${randomBytes(6).toString('hex')}`;
      const nowMs = clock.nowMs();
      const { password, expiresAtMs } = issueBrokerPassword(keyring, { role, id, org, groups: [] }, nowMs);
      await store.write((tx) =>
        appendAudit(tx, [
          {
            atMs: nowMs,
            org,
            actor: principal.id,
            event: 'broker_credential_issued',
            subject: `client:${id}`,
            details: { role },
          },
        ]),
      );
      const filters = role === 'controller' ? [`${prefix}/${org}/#`] : ['$SYS/#'];
      return { url: brokerUrl, client_id: id, username: id, password, expires_at: toTime(expiresAtMs), filters };
    },
  };
}
