import type { Selectable } from 'kysely';
import type { z } from 'zod';
import { parseDuration } from '../../protocol/durations.js';
import { MusterError } from '../../protocol/errors.js';
import { formatEnrollmentToken } from '../../protocol/messages/enrollment.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import type { EnrollmentTokenView } from '../http/schemas.js';
import type { Keyring } from '../identity/keyring.js';
import { fingerprintOf, hashSecret, randomSecret, randomTokenId } from '../identity/secrets.js';
import { readTimeCursor, timeKey, toPage } from '../paging.js';
import type { EnrollmentService } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import { readLabels, readStrings } from '../store/json.js';
import { madeOf, makeOnce } from '../store/made-once.js';
import type { Tables } from '../store/schema.js';
import type { Store } from '../store/store.js';

type TokenRow = Selectable<Tables['enrollment_tokens']>;
type TokenView = Readonly<z.infer<typeof EnrollmentTokenView>>;

const MAX_TOKEN_LIFE_MS = 366 * 24 * 3600 * 1000;

/** The tokens that let nodes in: made, listed and deleted by people, each stored as the hash of its secret. */
export function createEnrollmentTokens(deps: {
  store: Store;
  keyring: Keyring;
  clock: Clock;
  org: string;
}): Pick<EnrollmentService, 'createToken' | 'listTokens' | 'deleteToken'> {
  const { store, keyring, clock } = deps;
  return {
    async createToken(principal, ask, once) {
      const nowMs = clock.nowMs();
      const lifeMs = Math.ceil(parseDuration(ask.expires_in) ?? 0);
      if (lifeMs > MAX_TOKEN_LIFE_MS) throw new MusterError('invalid_request', 'expires_in may be a year at most');
      const secret = once?.secret ?? randomSecret();
      const row = {
        id: randomTokenId(),
        org: principal.org,
        secret_sha256: hashSecret(secret),
        uses_left: ask.uses,
        expires_at: nowMs + lifeMs,
        groups: JSON.stringify([...new Set(ask.groups)]),
        labels: JSON.stringify(ask.labels),
        node_id_pattern: ask.node_id_pattern ?? null,
        created_at: nowMs,
        created_by: principal.id,
      };
      const outcome = await store.write((tx) =>
        makeOnce(
          tx,
          { by: principal, once, nowMs },
          { find: (id) => findToken(tx, principal.org, id), make: () => addNew(tx, row) },
        ),
      );
      const made = madeOf(outcome);
      const token = formatEnrollmentToken({ id: made.id, secret, root: keyring.keys.root.kid });
      return { ...toView(made), token };
    },
    async listTokens(org, { limit, cursor }) {
      const after = readTimeCursor(cursor);
      let query = store.read.selectFrom('enrollment_tokens').selectAll().where('org', '=', org);
      if (after !== undefined) {
        query = query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('created_at', 'id'), '<', tuple(after.atMs, after.id)),
        );
      }
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      return toPage(rows, { limit, keyOf: timeKey, toItem: toView });
    },
    deleteToken: ({ org, id: actor }, id) =>
      store.write(async (tx) => {
        const gone = await tx
          .deleteFrom('enrollment_tokens')
          .where('id', '=', id)
          .where('org', '=', org)
          .executeTakeFirst();
        if (gone.numDeletedRows === 0n) return false;
        const event = 'enrollment_token_deleted';
        await appendAudit(tx, [{ atMs: clock.nowMs(), org, actor, event, subject: `enrollment_token:${id}` }]);
        return true;
      }),
  };
}

function findToken(tx: Queries, org: string, id: string): Promise<TokenRow | undefined> {
  return tx.selectFrom('enrollment_tokens').selectAll().where('org', '=', org).where('id', '=', id).executeTakeFirst();
}

async function addNew(tx: Queries, row: TokenRow): Promise<{ id: string; made: TokenRow }> {
  await tx.insertInto('enrollment_tokens').values(row).execute();
  const { id, org, uses_left: uses, expires_at, created_at: atMs, created_by: actor } = row;
  const details = { uses, expires_at, fingerprint: fingerprintOf(row.secret_sha256) };
  const subject = `enrollment_token:${id}`;
  await appendAudit(tx, [{ atMs, org, actor, event: 'enrollment_token_created', subject, details }]);
  return { id, made: row };
}

function toView(row: TokenRow): TokenView {
  return {
    id: row.id,
    uses_left: row.uses_left,
    expires_at: toTime(row.expires_at),
    groups: readStrings(row.groups),
    labels: readLabels(row.labels),
    node_id_pattern: row.node_id_pattern,
    created_at: toTime(row.created_at),
    created_by: row.created_by,
  };
}
