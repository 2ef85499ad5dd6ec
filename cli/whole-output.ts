import type { ExecutionView } from '../controller/http/schemas.js';
import type { Client } from './client.js';

/** What one execution printed on one stream: text, or only how many bytes when they are not text. */
export type StreamText = Readonly<{
  text: string;
  /** Of all that was captured. */
  bytes: number;
  isText: boolean;
  /** The text is all that was captured. */
  isWhole: boolean;
  /** The node dropped what came past its max_output_bytes. */
  isTruncated: boolean;
}>;

/** Both streams of an execution as its result holds them inline. */
export function inlineOutput(execution: ExecutionView): Readonly<Record<'stdout' | 'stderr', StreamText>> {
  return { stdout: inlineStream(execution, 'stdout'), stderr: inlineStream(execution, 'stderr') };
}

/** Both streams in full: what did not fit into the result is fetched. */
export async function wholeOutput(
  client: Client,
  execution: ExecutionView,
): Promise<Readonly<Record<'stdout' | 'stderr', StreamText>>> {
  const inline = inlineOutput(execution);
  return {
    stdout: await wholeStream(client, execution, { stream: 'stdout', inline: inline.stdout }),
    stderr: await wholeStream(client, execution, { stream: 'stderr', inline: inline.stderr }),
  };
}

async function wholeStream(
  client: Client,
  { invocation_id, node }: ExecutionView,
  { stream, inline }: { stream: 'stdout' | 'stderr'; inline: StreamText },
): Promise<StreamText> {
  if (inline.isWhole || !inline.isText) return inline;
  const path = `/invocations/${invocation_id}/executions/${node}/output`;
  const bytes = await client.bytes({ path, query: { stream } });
  return { ...inline, text: bytes.toString('utf8'), isWhole: bytes.length >= inline.bytes };
}

function inlineStream(execution: ExecutionView, stream: 'stdout' | 'stderr'): StreamText {
  const text = execution[stream] ?? '';
  const bytes = execution[`${stream}_bytes`] ?? 0;
  const isText = execution[`${stream}_encoding`] !== 'base64';
  const isWhole = isText && Buffer.byteLength(text) >= bytes;
  return { text: isText ? text : '', bytes, isText, isWhole, isTruncated: execution[`${stream}_truncated`] === true };
}
