import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MusterError } from '../../../protocol/errors.js';
import { ACTION_NAME_PATTERN } from '../../../protocol/ids.js';
import type { HookSpec } from '../../../protocol/messages/capabilities.js';
import { errnoOf } from '../../../runtime/errno.js';
import type { Logger } from '../../../runtime/logger.js';
import { type FileFault, hashHook, MAX_HOOK_BYTES, readOwnedFile } from './hook-file.js';
import { readSidecar } from './sidecar.js';

/** As many as a capabilities message may list. */
const MAX_HOOKS = 500;

/** A hook as it was found. The file is read and checked again before each run. */
export type Hook = Readonly<{ spec: HookSpec; file: string }>;

/** Faults that say "not a hook" or "gone meanwhile"; the others are worth a warning. */
const SILENT_FAULTS: readonly FileFault[] = ['not_executable', 'missing'];

/**
 * The hooks of a directory, sorted by name (P-67…P-76); none when there is no directory.
 * @throws {MusterError} config_invalid when the directory is there and cannot be read
 */
export async function discoverHooks(directory: string, log: Logger): Promise<Hook[]> {
  if (directory === '') return [];
  const hooks: Hook[] = [];
  for (const name of await listCandidates(directory)) {
    if (hooks.length === MAX_HOOKS) {
      log.warn({ limit: MAX_HOOKS }, 'hooks left out past the limit');
      break;
    }
    const hook = await readHook(directory, name, log);
    if (hook !== undefined) hooks.push(hook);
  }
  return hooks;
}

/** True for a name that cannot lead out of the hooks directory (P-39) and that may be an action's. */
export function isHookName(name: string): boolean {
  return ACTION_NAME_PATTERN.test(name) && !name.includes('..');
}

async function listCandidates(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory() && !entry.name.endsWith('.json'))
      .map(({ name }) => name)
      .sort();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT') return [];
    throw new MusterError('config_invalid', `agent.hooks_dir: ${directory} cannot be read: ${errno}`, { cause });
  }
}

async function readHook(directory: string, name: string, log: Logger): Promise<Hook | undefined> {
  const file = join(directory, name);
  const read = await readOwnedFile(file, { maxBytes: MAX_HOOK_BYTES, isExecutable: true });
  if (read.kind === 'refused') {
    if (!SILENT_FAULTS.includes(read.fault)) log.warn({ file: name, fault: read.fault }, 'hook skipped');
    return undefined;
  }
  if (!isHookName(name)) {
    log.warn({ file: name, fault: 'name' }, 'hook skipped');
    return undefined;
  }
  const { sidecar, fault } = await readSidecar(file);
  if (fault !== undefined) log.warn({ file: `${name}.json`, fault }, 'sidecar cannot be used');
  return { spec: { name, source: 'local', checksum: hashHook(read.content), ...sidecar }, file };
}
