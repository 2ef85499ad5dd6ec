import { setImmediate } from 'node:timers/promises';
import { decodeBase64Url } from '../../protocol/base64url.js';
import {
  DEFAULT_MAX_PACKET_BYTES,
  type KnownKey,
  openEnvelope,
  peekPayload,
  sha256Hex,
} from '../../protocol/envelope.js';
import { isMusterError } from '../../protocol/errors.js';
import { admitKey } from '../../protocol/keys.js';
import { openPiece } from '../ingest/masked-pieces.js';
import type { StoredResult } from '../ingest/reported-result.js';
import { resultContext } from '../ingest/shield.js';
import { OPEN_STATUSES } from '../invocations/completion.js';
import { assembleOutput, isWhole } from '../invocations/output.js';
import { readStoredResult } from '../invocations/views.js';
import type { Queries } from '../store/database.js';
import { findNodeKey } from '../store/node-keys.js';
import { outcomeColumns } from '../store/outcome-columns.js';
import { firstMissingOutput, listOutputs, type OutputRow } from '../store/outputs.js';
import { isMaskedCopy, isMaskedResult } from './masked-copies.js';
import type { VerifyDeps } from './run.js';

const ROWS_PER_PAGE = 500;
/** A stored result was judged by its size when it came; here it only has to be bounded. */
const ENVELOPE = { typ: 'muster-result', maxBytes: 64 * DEFAULT_MAX_PACKET_BYTES } as const;

/** Ends that the controller may conclude without a result. */
const CONCLUDED: ReadonlySet<string> = new Set(['rejected', 'expired', 'cancelled', 'error']);
const OPEN: ReadonlySet<string> = new Set(OPEN_STATUSES);

type Row = Awaited<ReturnType<typeof readPage>>[number];
type NodeKey = (KnownKey & Readonly<{ node: string }>) | undefined;

/** Tells the check of the audit trail which results there are. */
export type SeeResult = (
  result: Readonly<{ subject: string; sha256: string; receivedMs: number; askedMs: number }>,
) => void;

/**
 * Each execution is in a state that follows from what is stored, and its result, if it has one, is its node's word for
 * exactly the request that was sent (promises 4, 5 and 8).
 */
export async function checkExecutions(deps: VerifyDeps, see: SeeResult): Promise<void> {
  const { notes, signal, read } = deps;
  const keys = new Map<string, NodeKey>();
  let after = { execution_id: '', node: '' };
  for (;;) {
    const rows = await readPage(read, after);
    const last = rows.at(-1);
    if (last === undefined || signal?.aborted === true) return;
    notes.count('executions', rows.length);
    for (const row of rows) {
      const subject = `execution:${row.execution_id}/${row.node}`;
      for (const fault of stateFaults(row)) notes.find('executions', subject, fault);
      if (row.jws === null || row.payload_sha256 === null || row.received_at === null) continue;
      notes.count('results', 1);
      see({ subject, sha256: row.payload_sha256, receivedMs: row.received_at, askedMs: row.created_at });
      for (const fault of await resultFaults(deps, keys, row)) notes.find('results', subject, fault);
    }
    after = last;
    await setImmediate();
  }
}

function readPage(read: Queries, after: Readonly<{ execution_id: string; node: string }>) {
  const { execution_id, node } = after;
  return read
    .selectFrom('executions as e')
    .innerJoin('invocations as i', 'i.id', 'e.invocation_id')
    .leftJoin('results as r', (join) =>
      join.onRef('r.execution_id', '=', 'e.execution_id').onRef('r.node', '=', 'e.node'),
    )
    .leftJoin('requests as q', (join) =>
      join.onRef('q.execution_id', '=', 'e.execution_id').onRef('q.sha256', '=', 'e.request_sha256'),
    )
    .select(['e.execution_id', 'e.node', 'e.status', 'e.open', 'e.ended_at', 'e.error_code', 'e.request_sha256'])
    .select(['i.org', 'i.origin', 'i.created_at', 'q.sha256 as stored_request'])
    .select([
      'r.status as result_status',
      'r.payload_sha256',
      'r.jws',
      'r.sealed',
      'r.evidence',
      'r.received_at',
      'r.chunks',
    ])
    .select(['r.exit_code', 'r.error_code as result_error_code', 'r.output_sha256'])
    .where(({ eb, or, and }) =>
      or([
        eb('e.execution_id', '>', execution_id),
        and([eb('e.execution_id', '=', execution_id), eb('e.node', '>', node)]),
      ]),
    )
    .orderBy('e.execution_id')
    .orderBy('e.node')
    .limit(ROWS_PER_PAGE)
    .execute();
}

function stateFaults(row: Row): string[] {
  const { status, open, ended_at, error_code, request_sha256, stored_request, result_status, origin } = row;
  const faults: string[] = [];
  if ((open === 1) !== OPEN.has(status)) faults.push(`it is ${status} and marked ${open === 1 ? 'open' : 'ended'}`);
  if (open === 0 && ended_at === null) faults.push(`it is ${status} without a time`);
  if (request_sha256 !== null && stored_request === null) faults.push('the request that it names is not there');
  if (result_status !== null) {
    if (open === 1) faults.push('it has a result and is open');
    else if (result_status !== status) faults.push(`it is ${status}, and its result says ${result_status}`);
    if (request_sha256 === null && origin !== 'local') faults.push('it has a result and no request');
    return faults;
  }
  if (open === 1) return faults;
  if (!CONCLUDED.has(status)) faults.push(`it is ${status} without a result that says so`);
  if (status === 'error' && error_code === null) faults.push('it ended as error without a result or a code');
  return faults;
}

async function resultFaults({ read, vault }: VerifyDeps, keys: Map<string, NodeKey>, row: Row): Promise<string[]> {
  const { evidence, payload_sha256, execution_id, node, org, request_sha256, origin, result_status } = row;
  if (row.jws === null || evidence === null) return [];
  const faults: string[] = [];
  try {
    const jws = row.sealed === null ? row.jws : vault.open(row.sealed, resultContext(row));
    const payload = decodeBase64Url(jws.split('.', 2)[1] ?? '') ?? Buffer.alloc(0);
    if (sha256Hex(payload) !== payload_sha256) faults.push('its hash is not the stored one');
    if (evidence === 'signature') faults.push(...(await signatureFaults(read, keys, { jws, node })));
    const result = readStoredResult({ jws, evidence });
    if (result.execution_id !== execution_id || result.node !== node || result.org !== org) {
      faults.push('it speaks of another execution');
    }
    if (result.status !== result_status) faults.push(`it is filed as ${result_status} and says ${result.status}`);
    if (!isFiledAs(row, outcomeColumns(result))) faults.push('it is grouped with others than those that are like it');
    if (row.sealed !== null && !isMaskedResult(readStoredResult({ jws: row.jws, evidence }), result)) {
      faults.push('what is shown of it is not what the node has signed');
    }
    faults.push(...(await outputFaults({ read, vault }, row, result)));
    if (origin !== 'local' && result.request_sha256 !== request_sha256) faults.push('it answers another request');
  } catch (error) {
    if (!isMusterError(error)) throw error;
    faults.push(`it does not hold: ${error.message}`);
  }
  return faults;
}

/** Output that is there as a whole is what the node has signed; of what is missing its readers are told. */
async function outputFaults(
  { read, vault }: Pick<VerifyDeps, 'read' | 'vault'>,
  { execution_id: executionId, node, chunks }: Row,
  result: StoredResult,
): Promise<string[]> {
  if (chunks === null || chunks === 0) return [];
  const key = { executionId, node };
  if ((await firstMissingOutput(read, key, chunks)) !== undefined) return [];
  const faults: string[] = [];
  for (const stream of ['stdout', 'stderr'] as const) {
    const shown = await listOutputs(read, key, stream);
    const pieces = shown.map((row) => asItCame(vault, row));
    const { bytes } = assembleOutput(stream, { pieces, result });
    if (!result[`${stream}_truncated`] && !isWhole(bytes, stream, result))
      faults.push(`its ${stream} is not what the node has signed`);
    if (!isMaskedCopy(textOf(shown), textOf(pieces))) faults.push(`what is shown of its ${stream} is not what came`);
  }
  return faults;
}

function asItCame(vault: VerifyDeps['vault'], row: OutputRow): OutputRow {
  const { sealed } = row;
  if (sealed === null) return row;
  const octets = openPiece(vault, { ...row, sealed });
  return { ...row, data: octets.toString('base64'), encoding: 'base64', octets: null };
}

/** All of it, an octet a character. */
function textOf(pieces: readonly OutputRow[]): string {
  return assembleOutput('stdout', { pieces, result: undefined }).bytes.toString('latin1');
}

function isFiledAs(row: Row, { exit_code, error_code, output_sha256 }: ReturnType<typeof outcomeColumns>): boolean {
  return row.exit_code === exit_code && row.result_error_code === error_code && row.output_sha256 === output_sha256;
}

/** @throws {MusterError} a refusal of openEnvelope */
async function signatureFaults(
  read: Queries,
  keys: Map<string, NodeKey>,
  { jws, node }: { jws: string; node: string },
): Promise<string[]> {
  const { kid = '' } = peekPayload(jws, ENVELOPE);
  if (!keys.has(kid)) keys.set(kid, await readKey(read, kid));
  const key = keys.get(kid);
  openEnvelope(jws, { ...ENVELOPE, keyOf: () => key });
  return key?.node === node ? [] : [`it was signed by the key of ${key?.node ?? 'nobody'}`];
}

async function readKey(read: Queries, kid: string): Promise<NodeKey> {
  const row = await findNodeKey(read, kid);
  if (row === undefined) return undefined;
  const { key, kid: own } = admitKey(JSON.parse(row.public_jwk));
  return own === kid ? { key, role: 'node', node: row.node } : undefined;
}
