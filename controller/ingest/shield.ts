import { encodeBase64Url } from '../../protocol/base64url.js';
import { MAX_INLINE_TEXT, type Violation } from '../../protocol/messages/result.js';
import type { Mask } from '../../runtime/masking/mask.js';
import { REDACTED } from '../../runtime/masking/stream.js';
import type { Vault } from '../integrations/vault.js';
import type { OutputRow } from '../store/outputs.js';
import type { ResultRow } from '../store/results.js';
import type { ResultEvidence } from './evidence.js';
import type { StoredResult } from './reported-result.js';

/** Characters that the protocol leaves for texts of a result. */
const MOST = { error: 4096, path: 4096, detail: 1024 };

/** Takes registered values out of what nodes say, before the store has it (docs/decisions/0038). */
export type Shield = Readonly<{
  mask: Mask;
  vault: Vault;
  /** The result as it is stored: itself, or its masked copy with the signed one sealed beside it. */
  result: (evidence: ResultEvidence) => ResultEvidence;
}>;

export function createShield({ mask, vault }: Readonly<{ mask: Mask; vault: Vault }>): Shield {
  return {
    mask,
    vault,
    result(evidence) {
      const { node, result, jws } = evidence;
      if (!mask.isOn()) return evidence;
      const shown = maskResult(result, mask, evidence.evidence === 'signature' ? MAX_INLINE_TEXT : undefined);
      if (shown === result) return evidence;
      const sealed = vault.seal(jws, resultContext({ execution_id: result.execution_id, node }));
      return { ...evidence, result: shown, jws: `.${encodeBase64Url(JSON.stringify(shown))}.`, sealed };
    },
  };
}

/** What a sealed result belongs to. */
export function resultContext({ execution_id, node }: Pick<ResultRow, 'execution_id' | 'node'>): string {
  return JSON.stringify(['result', execution_id, node]);
}

/** What a sealed piece of output belongs to. */
export function outputContext({ execution_id, node, seq }: Pick<OutputRow, 'execution_id' | 'node' | 'seq'>): string {
  return JSON.stringify(['output', execution_id, node, seq]);
}

/** The same result when there is nothing to mask. All that says which execution it is and how it ended stays. */
function maskResult(result: StoredResult, mask: Mask, maxInline: number | undefined): StoredResult {
  const { stdout, stderr, stdout_encoding, stderr_encoding, error, violation, triggered_by: by, parameters } = result;
  const text: Bounded = (whole, most = REDACTED.length) => fit(mask.text(whole), Math.max(whole.length, most));
  const inline = (data: string, encoding: string): string => maskInline(data, encoding, { mask, max: maxInline });
  const shown: StoredResult = {
    ...result,
    stdout: inline(stdout, stdout_encoding),
    stderr: inline(stderr, stderr_encoding),
    ...(error === undefined ? {} : { error: text(error, MOST.error) }),
    ...(violation === undefined ? {} : { violation: maskViolation(violation, text) }),
    ...(by === undefined ? {} : { triggered_by: { ...by, ...maskTexts(by, text), type: by.type } }),
    ...(parameters === undefined ? {} : { parameters: { ...parameters, ...maskTexts(parameters, text) } }),
  };
  return JSON.stringify(shown) === JSON.stringify(result) ? result : shown;
}

/** Masks a text, which may have so many characters, and in any case as many as it had. */
type Bounded = (whole: string, most?: number) => string;

function maskViolation({ path, detail, ...rest }: Violation, text: Bounded): Violation {
  return { ...rest, path: text(path, MOST.path), detail: text(detail, MOST.detail) };
}

/** Those members that are texts. */
function maskTexts(of: Readonly<Record<string, unknown>>, text: Bounded): Record<string, string> {
  return Object.fromEntries(
    Object.entries(of).flatMap(([name, value]) => (typeof value === 'string' ? [[name, text(value)]] : [])),
  );
}

function maskInline(
  data: string,
  encoding: string,
  { mask, max = Number.POSITIVE_INFINITY }: Readonly<{ mask: Mask; max: number | undefined }>,
): string {
  if (encoding !== 'base64') return fit(mask.text(data), max);
  const octets = Buffer.from(data, 'base64');
  const masked = mask.octets(octets);
  if (masked === octets) return data;
  return Buffer.from(fit(masked.toString('latin1'), Math.floor(max / 4) * 3), 'latin1').toString('base64');
}

/** A mark may be longer than what it stands for; where text is bounded, its end goes, and a mark in the way takes its place. */
export function fit(text: string, max: number): string {
  if (text.length <= max) return text;
  for (let at = Math.max(0, max - REDACTED.length + 1); at < max; at += 1) {
    if (!text.startsWith(REDACTED, at)) continue;
    const before = text.slice(0, at);
    return max < REDACTED.length ? before : `${fit(before, max - REDACTED.length)}${REDACTED}`;
  }
  return text.slice(0, max);
}
