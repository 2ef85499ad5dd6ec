import { readFileSync, statSync } from 'node:fs';
import { MusterError } from '../../protocol/errors.js';
import { readYamlDocument } from '../../runtime/yaml-document.js';
import { faultsOf } from '../http/validation.js';
import { MAX_POLICY_BYTES, PolicyDocument } from './document.js';

/** A policy, or everything that is wrong with its text, a sentence each. */
export type ParsedPolicy = Readonly<{ policy: PolicyDocument }> | Readonly<{ faults: readonly string[] }>;

/** A policy from its text, YAML or JSON; refused whole when anything in it is wrong. */
export function parsePolicy(text: string): ParsedPolicy {
  if (Buffer.byteLength(text) > MAX_POLICY_BYTES)
    return { faults: [`it is larger than ${MAX_POLICY_BYTES / 1024} KiB`] };
  const read = readYamlDocument(text);
  if ('faults' in read) return read;
  const parsed = PolicyDocument.safeParse(read.value, { reportInput: true });
  if (parsed.success) return { policy: parsed.data };
  return { faults: faultsOf(parsed.error.issues, 'body').map(({ detail }) => detail) };
}

/**
 * The policy in a file.
 * @throws {MusterError} config_invalid, whose message names every fault, one a line
 */
export function readPolicyFile(file: string): PolicyDocument {
  const parsed = parsePolicy(readText(file));
  if ('policy' in parsed) return parsed.policy;
  const { faults } = parsed;
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  throw new MusterError('config_invalid', [`The policy ${file} has ${count}:`, ...faults].join('\n  - '));
}

/** @throws {MusterError} config_invalid */
function readText(file: string): string {
  try {
    if (statSync(file).size <= MAX_POLICY_BYTES) return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new MusterError('config_invalid', `The policy ${file} cannot be read`, { cause });
  }
  throw new MusterError('config_invalid', `The policy ${file} is larger than ${MAX_POLICY_BYTES / 1024} KiB`);
}
