import { createHash } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import type { RunEnd } from '../../agent/actions/action.js';
import { discoverHooks } from '../../agent/actions/hooks/discover.js';
import { createHookAction, type HookHost } from '../../agent/actions/hooks/run-hook.js';
import { createOutputCapture } from '../../agent/actions/output-capture.js';
import { createProcessGroupIsolation } from '../../agent/actions/process-group.js';
import type { ParameterValue } from '../../protocol/messages/parameters.js';
import { createLogger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';
import { temporaryDirectory } from './temporary-directory.js';

/** Of this process alone: what is left of a hook is found, and ended, by its id, in other tests' processes as well. */
export const EXECUTION_ID = uuidv7();

/** Writes a file with exactly this mode, whatever the umask; gives its path and its SHA-256 in hex. */
export function writeHook(
  directory: string,
  name: string,
  content: string,
  mode = 0o755,
): { file: string; checksum: string } {
  const file = join(directory, name);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return { file, checksum: createHash('sha256').update(content).digest('hex') };
}

/** What `runHook` differs in from a plain run of an unchanged hook. */
export type HookRun = Readonly<{
  name?: string;
  sidecar?: Readonly<Record<string, unknown>>;
  parameters?: Readonly<Record<string, ParameterValue>>;
  /** Null sends none. */
  checksum?: string | null;
  host?: Partial<HookHost>;
  /** Called with the path of the hook between its discovery and its run. */
  meanwhile?: (file: string) => void;
  /** Fires the signal once stdout holds this. */
  abortOn?: string;
}>;

/** What came of a run. */
export type HookEnd = Readonly<{ end: RunEnd; stdout: string; stderr: string; dataDir: string }>;

/** Writes a hook, discovers it and runs it as a request with its checksum would. */
export async function runHook(t: TestScope, script: string, options: HookRun = {}): Promise<HookEnd> {
  const { name = 'hook.sh', sidecar, meanwhile } = options;
  const directory = temporaryDirectory(t);
  const written = writeHook(directory, name, script);
  if (sidecar !== undefined) writeHook(directory, `${name}.json`, JSON.stringify(sidecar), 0o644);
  const run = await hookRunner(t, directory, options.host);
  meanwhile?.(written.file);
  return run({ checksum: written.checksum, ...options });
}

/** Discovers the one hook of a directory; gives a function that runs it. */
export async function hookRunner(
  t: TestScope,
  directory: string,
  host: Partial<HookHost> = {},
): Promise<(run: Pick<HookRun, 'parameters' | 'checksum' | 'abortOn'>) => Promise<HookEnd>> {
  const dataDir = temporaryDirectory(t);
  const [hook] = (await discoverHooks(directory)).hooks;
  if (hook === undefined) throw new Error('the hook was not found');
  const action = createHookAction(hook, {
    nodeId: 'pump-7',
    envPrefix: 'MUSTER_',
    agentEnv: process.env,
    dataDir,
    isolation: createProcessGroupIsolation(),
    log: createLogger('agent', { level: 'silent' }),
    ...host,
  });
  return async ({ parameters = {}, checksum = null, abortOn }) => {
    const output = createOutputCapture({ maxBytes: 1024 * 1024 });
    const abort = new AbortController();
    const end = await action.run({
      executionId: EXECUTION_ID,
      parameters: new Map(Object.entries(parameters)),
      ...(checksum === null ? {} : { checksum }),
      timeoutMs: 30_000,
      signal: abort.signal,
      output: {
        write(stream, bytes) {
          output.write(stream, bytes);
          if (abortOn !== undefined && output.inline('stdout').data.includes(abortOn)) abort.abort();
        },
      },
    });
    return { end, stdout: output.inline('stdout').data, stderr: output.inline('stderr').data, dataDir };
  };
}
