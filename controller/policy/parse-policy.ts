import { readFileSync, statSync } from 'node:fs';
import { MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';
import { readYamlDocument } from '../../runtime/yaml-document.js';
import { faultsOf } from '../http/validation.js';
import { MAX_POLICY_BYTES, PolicyDocument } from './document.js';

/** A policy, or everything that is wrong with its text, a sentence each. */
export type ParsedPolicy = Readonly<{ policy: PolicyDocument }> | Readonly<{ faults: readonly string[] }>;

const TOO_LARGE: ParsedPolicy = { faults: [`it is larger than ${MAX_POLICY_BYTES / 1024} KiB`] };

/** A policy from its text, YAML or JSON; refused whole when anything in it is wrong. */
export function parsePolicy(text: string): ParsedPolicy {
  if (Buffer.byteLength(text) > MAX_POLICY_BYTES) return TOO_LARGE;
  const read = readYamlDocument(text);
  if ('faults' in read) return read;
  const parsed = PolicyDocument.safeParse(read.value, { reportInput: true });
  if (parsed.success) return { policy: parsed.data };
  return { faults: faultsOf(parsed.error.issues, 'body').map(({ detail }) => detail) };
}

/** A policy from a file. */
export function parsePolicyFile(file: string): ParsedPolicy {
  let text: string;
  try {
    if (statSync(file).size > MAX_POLICY_BYTES) return TOO_LARGE;
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { faults: [`it cannot be read (${errnoOf(error) ?? 'no text'})`] };
  }
  return parsePolicy(text);
}

/**
 * The policy in a file.
 * @throws {MusterError} config_invalid, whose message names every fault, one a line
 */
export function readPolicyFile(file: string): PolicyDocument {
  const parsed = parsePolicyFile(file);
  if ('policy' in parsed) return parsed.policy;
  throw faultyPolicy(file, parsed.faults);
}

/** The failure that names every fault of a policy, one a line. */
export function faultyPolicy(file: string, faults: readonly string[]): MusterError {
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  return new MusterError('config_invalid', [`The policy ${file} has ${count}:`, ...faults].join('\n  - '));
}
