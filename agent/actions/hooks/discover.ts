import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MusterError } from '../../../protocol/errors.js';
import { ACTION_NAME_PATTERN } from '../../../protocol/ids.js';
import type { HookSpec } from '../../../protocol/messages/capabilities.js';
import { errnoOf } from '../../../runtime/errno.js';
import { startFault } from './first-line.js';
import { type FileFault, isWritableByOthers, scanHook } from './hook-file.js';
import { readSidecar } from './sidecar.js';

/** As many as a capabilities message may list. */
const MAX_HOOKS = 500;
/** Names beyond this are not looked at. */
const MAX_NAMES = 10_000;

/** A hook as it was found. The file is read and checked again before each run. */
export type Hook = Readonly<{ spec: HookSpec; file: string }>;

/** What was found and is not as it should be: the base name of the file, and why. */
export type HookFault = Readonly<{
  message: 'hook skipped' | 'hook has a fault' | 'hooks left out past the limit' | 'hooks directory is not taken';
  file: string;
  fault: string;
}>;

/** The hooks of a directory, sorted by name (P-73), and what somebody should mend. */
export type Discovery = Readonly<{ hooks: readonly Hook[]; faults: readonly HookFault[] }>;

/** Faults that say "not a hook" or "gone meanwhile"; the others are worth a warning. */
const SILENT_FAULTS: readonly FileFault[] = ['not_executable', 'missing'];

/**
 * Looks through a directory for hooks (P-67…P-76). There are none without a directory, and none in one that others may
 * write: they could offer what they like under any name.
 * @throws {MusterError} config_invalid when the directory is there and cannot be read
 */
export async function discoverHooks(directory: string): Promise<Discovery> {
  if (directory === '') return { hooks: [], faults: [] };
  const listed = await listCandidates(directory);
  const hooks: Hook[] = [];
  const faults: HookFault[] = [...listed.faults];
  for (const name of listed.names) {
    if (hooks.length === MAX_HOOKS) {
      faults.push({ message: 'hooks left out past the limit', file: name, fault: `past ${MAX_HOOKS} hooks` });
      break;
    }
    const found = await readHook(directory, name);
    if (found?.hook !== undefined) hooks.push(found.hook);
    if (found?.fault !== undefined) faults.push(found.fault);
  }
  return { hooks, faults };
}

/** True for a name that cannot lead out of the hooks directory (P-39) and that may be an action's. */
export function isHookName(name: string): boolean {
  return ACTION_NAME_PATTERN.test(name) && !name.includes('..');
}

/** The names of files that may be hooks, sorted. A link that has the directory's own name is followed: who configured it chose it. */
async function listCandidates(directory: string): Promise<{ names: string[]; faults: HookFault[] }> {
  const names: string[] = [];
  try {
    const { mode } = await stat(directory);
    const entries = await opendir(directory);
    if (isWritableByOthers(mode)) {
      await entries.close();
      const fault: HookFault = {
        message: 'hooks directory is not taken',
        file: directory,
        fault: 'writable_by_others',
      };
      return { names, faults: [fault] };
    }
    for await (const entry of entries) {
      if (entry.isDirectory() || entry.name.endsWith('.json')) continue;
      if (names.length === MAX_NAMES) {
        const fault = `past ${MAX_NAMES} files`;
        return { names: names.sort(), faults: [{ message: 'hooks left out past the limit', file: entry.name, fault }] };
      }
      names.push(entry.name);
    }
    return { names: names.sort(), faults: [] };
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT') return { names: [], faults: [] };
    throw new MusterError('config_invalid', `agent.hooks_dir: ${directory} cannot be read: ${errno}`, { cause });
  }
}

async function readHook(
  directory: string,
  name: string,
): Promise<Readonly<{ hook?: Hook; fault?: HookFault }> | undefined> {
  const file = join(directory, name);
  const scan = await scanHook(file);
  if (scan.kind === 'refused') {
    return SILENT_FAULTS.includes(scan.fault)
      ? undefined
      : { fault: { message: 'hook skipped', file: name, fault: scan.fault } };
  }
  if (!isHookName(name)) return { fault: { message: 'hook skipped', file: name, fault: 'name' } };
  const { sidecar, fault = startFault(scan.head) } = await readSidecar(file);
  const spec = { name, source: 'local', checksum: scan.checksum, ...sidecar };
  if (fault === undefined) return { hook: { spec, file } };
  return { hook: { spec: { ...spec, fault }, file }, fault: { message: 'hook has a fault', file: name, fault } };
}
