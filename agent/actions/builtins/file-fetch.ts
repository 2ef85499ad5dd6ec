import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { toTime } from '../../../runtime/clock.js';
import type { Action, OutputSink } from '../action.js';
import { cannotBeRead, type FileRule, openAllowedFile } from '../system/allowed-file.js';
import { failed, invalidParameter, notAllowed } from './answers.js';

const BLOCK_BYTES = 64 * 1024;

/** What `file_fetch` says on stderr, as one line of JSON; the bytes of the file are its stdout. */
export const FetchedFile = z.object({
  file: z.string().describe('Its path, links resolved'),
  size: z.int().describe('Bytes that its file system tells; 0 for files that are made when they are read'),
  modified_at: z.iso.datetime(),
  offset: z.int().describe('Bytes before those that were fetched'),
  bytes: z.int().describe('Bytes that were fetched'),
  sha256: z.string().describe('Of the bytes that were fetched, lower-case hex'),
  at_end: z.boolean().describe('False when there is more: ask again with `offset` + `bytes`'),
});
export type FetchedFile = Readonly<z.infer<typeof FetchedFile>>;

/** Fetches bytes of a regular file that `agent.readable_files` covers, at most `maxBytes` at once. */
export function fileFetch({ rule, maxBytes }: { rule: FileRule; maxBytes: number }): Action {
  return {
    name: 'file_fetch',
    description: 'Bytes of a file that agent.readable_files covers; its size and checksum on stderr',
    risk: 'read',
    parameters: [
      { name: 'path', type: 'string', required: true, description: 'Absolute path of a regular file' },
      { name: 'offset', type: 'integer', required: false, default: 0, description: 'Bytes to leave out at the start' },
      {
        name: 'max_bytes',
        type: 'integer',
        required: false,
        description: 'Up to agent.max_output_bytes, which it is when left out',
      },
    ],
    reports: FetchedFile,
    async run({ parameters, output, signal }) {
      const path = String(parameters.get('path') ?? '');
      const offset = Number(parameters.get('offset') ?? 0);
      const wanted = Number(parameters.get('max_bytes') ?? maxBytes);
      if (offset < 0) return invalidParameter('parameter offset must not be negative');
      if (wanted < 1 || wanted > maxBytes) return invalidParameter(`parameter max_bytes must be 1 to ${maxBytes}`);
      const found = await openAllowedFile(path, rule);
      if (found.kind === 'not_allowed') return notAllowed(`the file ${path}`, 'readable_files');
      if (found.kind === 'failed') return failed(output, found.message);
      try {
        const { size, mtimeMs } = await found.handle.stat();
        const copied = await copy(found.handle, { offset, wanted, output, signal });
        const report: FetchedFile = { file: found.file, size, modified_at: toTime(mtimeMs), offset, ...copied };
        output.write('stderr', `${JSON.stringify(report)}\n`);
        return { kind: 'exited', exitCode: 0 };
      } catch (error) {
        signal.throwIfAborted();
        return failed(output, cannotBeRead(found.file, error)); // some files of /sys are there and answer EINVAL
      } finally {
        await found.handle.close();
      }
    },
  };
}

/** Reads to the end or to the bound, and not by the size: files of /proc have none, and others grow meanwhile. */
async function copy(
  handle: FileHandle,
  { offset, wanted, output, signal }: { offset: number; wanted: number; output: OutputSink; signal: AbortSignal },
): Promise<Pick<FetchedFile, 'bytes' | 'sha256' | 'at_end'>> {
  const hash = createHash('sha256');
  const block = Buffer.alloc(BLOCK_BYTES);
  let bytes = 0;
  for (;;) {
    signal.throwIfAborted();
    // One byte past the bound tells whether there is more.
    const length = Math.min(BLOCK_BYTES, wanted - bytes + 1);
    const { bytesRead } = await handle.read(block, 0, length, offset + bytes);
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex'), at_end: true };
    const part = block.subarray(0, Math.min(bytesRead, wanted - bytes));
    hash.update(part);
    output.write('stdout', part);
    bytes += part.length;
    if (part.length < bytesRead) return { bytes, sha256: hash.digest('hex'), at_end: false };
  }
}
