import { encodeBase64Url } from '../../protocol/base64url.js';
import { MAX_INLINE_TEXT, type Violation } from '../../protocol/messages/result.js';
import type { Mask } from '../../runtime/masking/mask.js';
import { REDACTED } from '../../runtime/masking/stream.js';
import type { Vault } from '../integrations/vault.js';
import type { OutputRow } from '../store/outputs.js';
import type { ResultRow } from '../store/results.js';
import type { ResultEvidence } from './evidence.js';
import type { StoredResult } from './reported-result.js';

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
  const text = (whole: string): string => fit(mask.text(whole), Math.max(whole.length, REDACTED.length));
  const inline = (data: string, encoding: string): string => fit(maskInline(data, encoding, mask), maxInline);
  const shown: StoredResult = {
    ...result,
    stdout: inline(stdout, stdout_encoding),
    stderr: inline(stderr, stderr_encoding),
    ...(error === undefined ? {} : { error: text(error) }),
    ...(violation === undefined ? {} : { violation: maskViolation(violation, text) }),
    ...(by === undefined ? {} : { triggered_by: { ...by, ...maskTexts(by, text), type: by.type, id: text(by.id) } }),
    ...(parameters === undefined ? {} : { parameters: { ...parameters, ...maskTexts(parameters, text) } }),
  };
  return JSON.stringify(shown) === JSON.stringify(result) ? result : shown;
}

function maskViolation({ path, detail, ...rest }: Violation, text: (whole: string) => string): Violation {
  return { ...rest, path: text(path), detail: text(detail) };
}

/** Those members that are texts. */
function maskTexts(of: Readonly<Record<string, unknown>>, text: (whole: string) => string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(of).flatMap(([name, value]) => (typeof value === 'string' ? [[name, text(value)]] : [])),
  );
}

function maskInline(data: string, encoding: string, mask: Mask): string {
  if (encoding !== 'base64') return mask.text(data);
  const octets = Buffer.from(data, 'base64');
  const masked = mask.octets(octets);
  return masked === octets ? data : masked.toString('base64');
}

/** A mark may be longer than what it stands for; where text is bounded, its end goes. */
function fit(text: string, max: number | undefined): string {
  return max === undefined ? text : text.slice(0, max);
}
