import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../errno.js';
import { followFile } from '../followed-file.js';
import type { Logger } from '../logger.js';
import type { Secrets } from './mask.js';
import { MIN_SPELLING_BYTES } from './spellings.js';

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_VALUE_BYTES = 64 * 1024;
const MAX_VALUES = 1_000;
/** Of all values together: what searches for them takes up to a thousand times as much memory. */
const MAX_ALL_BYTES = 128 * 1024;

/** What only its owner may do. */
const OF_OTHERS = 0o077;

/** A value by the name that faults are told under: the value itself is never shown. */
type Named = Readonly<{ name: string; value: string }>;

/** Source under which the values of the file are registered. */
const SOURCE = 'secrets_file';

/**
 * The values of a file with lines `name: value`, or of a directory with one value in each file, without the line break
 * at its end. What begins with `#`, and in a directory with a dot, is none. Only the owner may read them.
 * @throws {MusterError} config_invalid, whose message names every fault, one a line, and no value
 */
export function readSecretsFile(place: string): string[] {
  const faults: string[] = [];
  let named: Named[] = [];
  try {
    const status = statSync(place);
    named = status.isDirectory() ? readDirectory(place, status, faults) : readLines(place, status, faults);
  } catch (error) {
    faults.push(`it cannot be read (${errnoOf(error) ?? 'no text'})`);
  }
  if (named.length > MAX_VALUES) faults.push(`it has ${named.length} values; at most ${MAX_VALUES} are taken`);
  const allBytes = named.reduce((sum, { value }) => sum + Buffer.byteLength(value), 0);
  if (allBytes > MAX_ALL_BYTES) faults.push(`its values have ${allBytes} bytes; at most ${MAX_ALL_BYTES} are taken`);
  for (const { name, value } of named) {
    const length = Buffer.byteLength(value);
    if (length < MIN_SPELLING_BYTES) {
      faults.push(`${name} is shorter than ${MIN_SPELLING_BYTES} characters: it would be found in half of all output`);
    }
    if (length > MAX_VALUE_BYTES) faults.push(`${name} is longer than ${MAX_VALUE_BYTES} bytes`);
  }
  if (faults.length > 0) {
    throw new MusterError('config_invalid', [`The secrets in ${place} cannot be used:`, ...faults].join('\n  - '));
  }
  return named.map(({ value }) => value);
}

/**
 * Registers the values of a file, and again when it changes; a faulty change leaves those that were. Gives the function
 * that ends it.
 * @throws {MusterError} config_invalid: the file as it is at the start
 */
export function followSecretsFile(place: string, { register }: Secrets, log: Logger): () => void {
  register(SOURCE, readSecretsFile(place));
  return followFile(
    place,
    () => {
      try {
        const values = readSecretsFile(place);
        register(SOURCE, values);
        log.info({ values: values.length }, 'secrets to mask read');
      } catch (err) {
        log.error({ err }, 'secrets to mask not read, those before stay');
      }
    },
    { isSettled: true },
  );
}

function readLines(file: string, status: Stats, faults: string[]): Named[] {
  if ((status.mode & OF_OTHERS) !== 0) faults.push('others than its owner may use it: chmod 600');
  if (status.size > MAX_FILE_BYTES) {
    faults.push(`it is larger than ${MAX_FILE_BYTES} bytes`);
    return [];
  }
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      const text = line.trim();
      if (text === '' || text.startsWith('#')) return [];
      const [, name = '', value = ''] = /^([^\s:]{1,128}):\s+(.+)$/.exec(text) ?? [];
      if (name === '') faults.push(`line ${index + 1} is not of the form name: value`); // the line may hold a value
      return name === '' ? [] : [{ name, value }];
    });
}

function readDirectory(directory: string, { mode }: Stats, faults: string[]): Named[] {
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'));
  return names.slice(0, MAX_VALUES + 1).flatMap((name) => {
    const status = statSync(join(directory, name));
    if (!status.isFile()) return [];
    if ((mode & status.mode & OF_OTHERS) !== 0) faults.push(`others than its owner may use ${name}: chmod 600`);
    if (status.size > MAX_VALUE_BYTES + 2) {
      faults.push(`${name} is longer than ${MAX_VALUE_BYTES} bytes`);
      return [];
    }
    return [{ name, value: readFileSync(join(directory, name), 'utf8').replace(/\r?\n$/, '') }];
  });
}
