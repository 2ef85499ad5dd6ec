import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { ExecutionView } from '../../../http/schemas.js';
import { callForBytes } from '../api/client.js';

/** So much of the end of a stream is shown, in bytes. */
const SHOWN_BYTES = 1024 * 1024;
/** As much more is let in before the beginning goes, so that it does not go with every line. */
const SLACK_BYTES = SHOWN_BYTES / 4;
/** A line longer than this may be cut anywhere. */
const MAX_CUT_LINE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
const UNUSED_MS = 30_000;

export type Stream = 'stdout' | 'stderr';

/** The end of a stream: its bytes up to `end`, counted from the beginning. */
export type Output = Readonly<{ bytes: Uint8Array; end: number; isComplete: boolean; isTruncated: boolean }>;

/** The address of all that was printed, below the API. */
export function outputPath(id: string, node: string, stream: Stream): string {
  return `/invocations/${encodeURIComponent(id)}/executions/${encodeURIComponent(node)}/output?stream=${stream}`;
}

/**
 * The end of what an execution prints. While it runs only what is new is read; its result may close a gap, so after it
 * all is read again.
 */
export const outputQuery = ({ invocation_id: id, node, received_at }: ExecutionView, stream: Stream) => {
  const path = outputPath(id, node, stream);
  const queryKey = ['output', id, node, stream, received_at] as const;
  return queryOptions({
    queryKey,
    queryFn: async ({ client, signal }): Promise<Output> => {
      const known = received_at === null ? client.getQueryData<Output>(queryKey) : undefined;
      const offset = known?.end ?? Math.max(0, (await lengthOf(path, signal)) - SHOWN_BYTES);
      const { bytes, headers } = await callForBytes('GET', `${path}&offset=${offset}`, { signal });
      return {
        bytes: keepEnd(known === undefined ? atLineStart(bytes, offset) : concatenate(known.bytes, bytes)),
        end: offset + bytes.length,
        isComplete: headers.get('muster-output-complete') === 'true',
        isTruncated: headers.get('muster-output-truncated') === 'true',
      };
    },
    structuralSharing: false,
    gcTime: UNUSED_MS,
    placeholderData: keepPreviousData,
  });
};

async function lengthOf(path: string, signal: AbortSignal): Promise<number> {
  const { headers } = await callForBytes('HEAD', path, { signal });
  return Number(headers.get('content-length') ?? 0);
}

function concatenate(before: Uint8Array, after: Uint8Array): Uint8Array {
  if (after.length === 0) return before;
  const both = new Uint8Array(before.length + after.length);
  both.set(before);
  both.set(after, before.length);
  return both;
}

function keepEnd(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= SHOWN_BYTES + SLACK_BYTES) return bytes;
  const from = bytes.length - SHOWN_BYTES;
  return atLineStart(bytes.slice(from), from);
}

/** Bytes that begin in the midst of a stream, from the next line on. */
function atLineStart(bytes: Uint8Array, offset: number): Uint8Array {
  if (offset === 0) return bytes;
  const newline = bytes.subarray(0, MAX_CUT_LINE_BYTES).indexOf(NEWLINE);
  return newline < 0 ? bytes : bytes.subarray(newline + 1);
}
