import { sha256Hex } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { PolicyVersionView, type PolicyView } from '../http/policy-schemas.js';
import { readCursor, toPage } from '../paging.js';
import type { PolicyService } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import { findPolicyRow, insertPolicy, listPolicyRows, type PolicyRow } from '../store/policies.js';
import type { Store } from '../store/store.js';
import { MAX_POLICY_BYTES, type PolicyDocument, SHIPPED_POLICY } from './document.js';
import { readDocument } from './policies.js';
import { SHIPPED_RISKS } from './risks.js';

type Change = Readonly<{ org: string; by: string; source: 'file' | 'api'; policy: PolicyDocument; nowMs: number }>;

/** The policies of the orgs and their versions. `fileOrg` is the one whose policy comes from a file of the controller. */
export function createPolicyService({
  store,
  clock,
  fileOrg,
}: {
  store: Store;
  clock: Clock;
  fileOrg: string | undefined;
}): PolicyService {
  return {
    async read(org) {
      const row = await findPolicyRow(store.read, org);
      return row === undefined ? shippedView() : toView(row);
    },
    async readVersion(org, version) {
      if (version === 0) return shippedView();
      const row = await findPolicyRow(store.read, org, version);
      return row === undefined ? undefined : toView(row);
    },
    async versions(org, { limit, cursor }) {
      const rows = await listPolicyRows(store.read, { org, before: versionOf(cursor), limit: limit + 1 });
      return toPage(rows, { limit, keyOf: ({ version }) => String(version), toItem: toVersionView });
    },
    async replace({ org, id }, policy, isExpected) {
      if (org === fileOrg) {
        throw new MusterError('conflict', 'The policy comes from a file of the controller: change it there');
      }
      if (JSON.stringify(policy).length > MAX_POLICY_BYTES) {
        throw new MusterError('invalid_request', `The policy is larger than ${MAX_POLICY_BYTES / 1024} KiB`);
      }
      const change: Change = { org, by: id, source: 'api', policy, nowMs: clock.nowMs() };
      const row = await store.write(async (tx) => {
        const now = await findPolicyRow(tx, org);
        return isExpected(now?.version ?? 0) ? replacePolicy(tx, now, change) : undefined;
      });
      if (row !== undefined) return toView(row);
      throw new MusterError('precondition_failed', 'Somebody has changed the policy since you read it');
    },
  };
}

/** Puts the policy of a file in force, unless it is already; gives the version that is in force then. */
export function installPolicy(
  store: Store,
  { org, policy, nowMs }: { org: string; policy: PolicyDocument; nowMs: number },
): Promise<Pick<PolicyRow, 'version'>> {
  const change: Change = { org, by: 'controller', source: 'file', policy, nowMs };
  return store.write(async (tx) => replacePolicy(tx, await findPolicyRow(tx, org), change));
}

/** Adds a version with its audit row; the same policy once more is no version of its own. */
async function replacePolicy(tx: Queries, now: PolicyRow | undefined, change: Change): Promise<PolicyRow> {
  const { org, by, source, nowMs } = change;
  const document = JSON.stringify(change.policy);
  const sha256 = sha256Hex(document);
  if (now?.sha256 === sha256) return now;
  const version = (now?.version ?? 0) + 1;
  const row: PolicyRow = { org, version, source, document, sha256, created_at: nowMs, created_by: by };
  await insertPolicy(tx, row);
  const details = { source, sha256, replaces: now?.version ?? 0 };
  const subject = `policy:${version}`;
  await appendAudit(tx, [{ atMs: nowMs, org, actor: by, event: 'policy_changed', subject, details }]);
  return row;
}

/** @throws {MusterError} invalid_request */
function versionOf(cursor: string | undefined): number | undefined {
  const key = readCursor(cursor, /^\d{1,9}$/);
  return key === undefined ? undefined : Number(key);
}

function toVersionView({ version, source, sha256, created_at, created_by }: Omit<PolicyRow, 'document'>) {
  return PolicyVersionView.parse({ version, source, sha256, created_at: toTime(created_at), created_by });
}

function toView(row: PolicyRow): PolicyView {
  return { ...toVersionView(row), policy: readDocument(row), shipped_risks: [...SHIPPED_RISKS] };
}

function shippedView(): PolicyView {
  const sha256 = sha256Hex(JSON.stringify(SHIPPED_POLICY));
  const origin = { version: 0, source: 'shipped', created_at: null, created_by: null } as const;
  return { ...origin, sha256, policy: SHIPPED_POLICY, shipped_risks: [...SHIPPED_RISKS] };
}
