import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { isMusterError } from '../../protocol/errors.js';
import type { Encoding, Output } from '../../protocol/messages/output.js';
import type { Held } from '../../runtime/masking/stream.js';
import type { Tx } from '../store/database.js';
import { findOutput, lastOutputBefore, type OutputRow } from '../store/outputs.js';
import { outputContext, type Shield } from './shield.js';

/** A piece as it is stored. */
type PieceRow = Readonly<Omit<OutputRow, 'encoding'> & { encoding: Encoding }>;

/** What is sealed of a piece: its octets as they came, and what its stream held back at its end; all in Base64. */
const Sealed = z.object({ octets: z.string(), held: z.string(), hidden: z.int().min(0) });

type Piece = Readonly<{ node: string; output: Output }>;

const NOTHING: Held = { octets: Buffer.alloc(0), hidden: 0 };

/**
 * Pieces of output as they are stored. With registered values a stream is masked across its pieces: what may begin a
 * value is held back, sealed, until the next piece says. So each is taken after the one before it; what comes before its
 * turn is left out, and its node asked for it again, like for what was lost.
 */
export async function toPieceRows(tx: Tx, shield: Shield, pieces: readonly Piece[]): Promise<PieceRow[]> {
  if (!shield.mask.isOn()) return pieces.map(toRow);
  const rows: PieceRow[] = [];
  /** What came in this batch, by execution, node and seq; and what the newest piece of each stream held back. */
  const taken = new Set<string>();
  const held = new Map<string, Held>();
  for (const piece of [...pieces].sort((a, b) => a.output.seq - b.output.seq)) {
    const { execution_id, seq, stream } = piece.output;
    const key = `${execution_id}/${piece.node}`;
    if (await isStored(tx, piece, seq)) {
      held.delete(`${key}/${stream}`); // what it held back when it was stored counts: the values may be others by now
      continue;
    }
    const isNext = seq === 0 || taken.has(`${key}/${seq - 1}`) || (await isStored(tx, piece, seq - 1));
    if (!isNext) continue;
    const before = held.get(`${key}/${stream}`) ?? (await heldBefore(tx, shield, piece));
    const masked = maskPiece(shield, piece, before);
    taken.add(`${key}/${seq}`);
    held.set(`${key}/${stream}`, masked.held);
    rows.push(masked.row);
  }
  return rows;
}

/** The octets of a piece as they came. @throws {MusterError} unsafe_key */
export function openPiece(
  { open }: Pick<Shield['vault'], 'open'>,
  row: Pick<PieceRow, 'execution_id' | 'node' | 'seq'> & Readonly<{ sealed: string }>,
): Buffer {
  return Buffer.from(readSealed(open(row.sealed, outputContext(row))).octets, 'base64');
}

function maskPiece({ mask, vault }: Shield, piece: Piece, before: Held): { row: PieceRow; held: Held } {
  const row = toRow(piece);
  const { data, encoding, last } = piece.output;
  const octets = Buffer.from(data, encoding === 'base64' ? 'base64' : 'utf8');
  const stream = mask.stream(before);
  if (stream === undefined) return { row, held: NOTHING };
  const given = last ? Buffer.concat([stream.push(octets), stream.end()]) : stream.push(octets);
  const held = stream.held();
  if (held.octets.length === 0 && given.equals(octets)) return { row, held };
  const sealed = {
    octets: octets.toString('base64'),
    held: held.octets.toString('base64'),
    hidden: held.hidden,
  } satisfies z.infer<typeof Sealed>;
  return {
    row: {
      ...row,
      ...toText(given),
      sealed: vault.seal(JSON.stringify(sealed), outputContext(row)),
      octets: octets.length,
    },
    held,
  };
}

async function isStored(tx: Tx, { node, output }: Piece, seq: number): Promise<boolean> {
  return (await findOutput(tx, { executionId: output.execution_id, node }, seq)) !== undefined;
}

/**
 * What the piece before this one of its stream held back. Nothing when that does not open, of which `muster verify` tells:
 * this piece is in a batch with what other nodes say, and would keep all of it out of the store.
 */
async function heldBefore(tx: Tx, { vault }: Shield, { node, output }: Piece): Promise<Held> {
  const before = await lastOutputBefore(tx, { executionId: output.execution_id, node }, output);
  if (before === undefined || before.sealed === null) return NOTHING;
  try {
    const { held, hidden } = readSealed(vault.open(before.sealed, outputContext(before)));
    return { octets: Buffer.from(held, 'base64'), hidden };
  } catch (error) {
    if (!isMusterError(error, 'unsafe_key')) throw error;
    return NOTHING;
  }
}

function readSealed(text: string): z.infer<typeof Sealed> {
  return Sealed.parse(JSON.parse(text));
}

function toRow({ node, output }: Piece): PieceRow {
  const { execution_id, seq, stream, offset, last, data, encoding } = output;
  const text = data.includes('\0') ? toText(Buffer.from(data, 'utf8')) : { data, encoding };
  return { execution_id, node, seq, stream, offset, ...text, last: last ? 1 : 0, sealed: null, octets: null };
}

/** PostgreSQL's text has no NUL, and what programs print may. */
function toText(octets: Buffer): { data: string; encoding: Encoding } {
  const isText = isUtf8(octets) && !octets.includes(0);
  return isText
    ? { data: octets.toString(), encoding: 'utf-8' }
    : { data: octets.toString('base64'), encoding: 'base64' };
}
