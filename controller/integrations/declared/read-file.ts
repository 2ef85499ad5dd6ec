import { readFileSync, statSync } from 'node:fs';
import { sha256Hex } from '../../../protocol/envelope.js';
import { MusterError } from '../../../protocol/errors.js';
import { errnoOf } from '../../../runtime/errno.js';
import { readYamlDocument } from '../../../runtime/yaml-document.js';
import { faultsOf } from '../../http/validation.js';
import type { Adapter } from '../adapter.js';
import { ADAPTERS } from '../adapters/list.js';
import { toAdapter } from './adapter.js';
import { DeclaredAdapters, MAX_DECLARED_BYTES } from './document.js';

/** A file of adapters; `sha256` is of its octets, in hex. */
export type DeclaredFile = Readonly<{ adapters: readonly Adapter[]; sha256: string }>;

/**
 * The adapters that a file declares.
 * @throws {MusterError} config_invalid, whose message names every fault, one a line
 */
export function readDeclaredFile(file: string): DeclaredFile {
  const text = textOf(file);
  const read = parseDeclared(text);
  if ('adapters' in read) return { adapters: read.adapters.map(toAdapter), sha256: sha256Hex(text) };
  const lines = [`The integrations file ${file} cannot be used:`, ...read.faults];
  throw new MusterError('config_invalid', lines.join('\n  - '));
}

function textOf(file: string): string {
  try {
    if (statSync(file).size <= MAX_DECLARED_BYTES) return readFileSync(file, 'utf8');
  } catch (cause) {
    const why = errnoOf(cause) ?? 'no text';
    throw new MusterError('config_invalid', `The integrations file ${file} cannot be read (${why})`, { cause });
  }
  throw new MusterError(
    'config_invalid',
    `The integrations file ${file} is larger than ${MAX_DECLARED_BYTES / 1024} KiB`,
  );
}

function parseDeclared(text: string) {
  const read = readYamlDocument(text);
  if ('faults' in read) return read;
  const parsed = DeclaredAdapters.safeParse(read.value, { reportInput: true });
  if (!parsed.success) return { faults: faultsOf(parsed.error.issues, 'body').map(({ detail }) => detail) };
  const taken = parsed.data.adapters.filter(({ name }) => ADAPTERS.some(({ integration }) => integration === name));
  if (taken.length === 0) return parsed.data;
  return { faults: taken.map(({ name }) => `${name} is an adapter of the controller itself`) };
}
