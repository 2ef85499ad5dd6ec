import { encodeBase64Url } from '../../protocol/base64url.js';
import { MusterError } from '../../protocol/errors.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { AuditView } from '../http/audit-schemas.js';
import type { Keyring } from '../identity/keyring.js';
import type { Vault } from '../integrations/vault.js';
import { readCursor } from '../paging.js';
import type { AuditService } from '../services.js';
import type { AuditRow } from '../store/audit.js';
import type { Store } from '../store/store.js';
import { verifyStore } from '../verify/run.js';

/** One call looks at this many rows at most: filters have no index, which would cost each write more than it is worth. */
const WINDOW = 20_000;
/** What is older than this has been committed, whatever the disk did. */
const SETTLED_MS = 10_000;

/** Reads the audit trail, and holds the whole store against it. */
export function createAuditService(deps: { store: Store; keyring: Keyring; vault: Vault; clock: Clock }): AuditService {
  const { store, keyring, vault, clock } = deps;
  let isVerifying = false;
  return {
    async list(org, { limit, cursor, event, actor, subject, since }) {
      const before = await startOf(store, cursor);
      const floor = before - WINDOW;
      let query = store.read
        .selectFrom('audit')
        .selectAll()
        .where('seq', '<', before)
        .where('seq', '>=', floor)
        .where('org', '=', org);
      if (event !== undefined) query = query.where('event', '=', event);
      if (actor !== undefined) query = query.where('actor', '=', actor);
      if (subject !== undefined) query = query.where('subject', '=', subject);
      if (since !== undefined) query = query.where('at', '>=', Date.parse(since));
      const rows = await query
        .orderBy('seq', 'desc')
        .limit(limit + 1)
        .execute();
      const shown = rows.slice(0, limit);
      const next = rows.length > limit ? shown.at(-1)?.seq : (await isBelow(store, floor)) ? floor : undefined;
      return { items: shown.map(toView), next_cursor: next === undefined ? null : encodeBase64Url(String(next)) };
    },
    async verify({ kept, signal }) {
      if (isVerifying) throw new MusterError('conflict', 'Somebody is verifying already: wait until that is done');
      isVerifying = true;
      try {
        const keyOf = (kid: string) => keyring.keys.list.keys.get(kid);
        const beforeMs = clock.nowMs() - SETTLED_MS;
        return await verifyStore({ read: store.read, keyOf, vault, clock, beforeMs, kept, signal });
      } finally {
        isVerifying = false;
      }
    },
  };
}

/** The row before which the page begins; past the last one for the first page. @throws {MusterError} invalid_request */
async function startOf({ read }: Store, cursor: string | undefined): Promise<number> {
  const text = readCursor(cursor, /^[1-9]\d{0,14}$/);
  if (text === undefined) {
    const last = await read.selectFrom('audit').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst();
    return (last?.seq ?? 0) + 1;
  }
  return Number(text);
}

async function isBelow({ read }: Store, seq: number): Promise<boolean> {
  return (
    (await read.selectFrom('audit').select('seq').where('seq', '<', seq).limit(1).executeTakeFirst()) !== undefined
  );
}

function toView({ seq, at, actor, event, subject, details, hash }: AuditRow): AuditView {
  return { seq, at: toTime(at), actor, event, subject, details: readDetails(details), hash };
}

/** A row that was altered is shown as far as it can be read; what is wrong with it, verifying says. */
function readDetails(text: string): AuditView['details'] {
  try {
    return AuditView.shape.details.safeParse(JSON.parse(text)).data ?? {};
  } catch {
    return {};
  }
}
