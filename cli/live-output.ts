import { TextDecoder } from 'node:util';
import type { ExecutionView } from '../controller/http/schemas.js';
import { escapeOutput, escapeText } from '../runtime/terminal-text.js';
import type { Client } from './client.js';
import type { Io } from './io.js';

/** Shows what nodes print while they run, line by line. */
export type LiveOutput = Readonly<{
  /** Prints what has come since the last call. */
  update: (executions: readonly ExecutionView[]) => Promise<void>;
}>;

const STREAMS = ['stdout', 'stderr'] as const;

/** Where one stream of one node stands. `rest` is the line that has no end yet. */
type Position = { offset: number; rest: string; readonly decoder: TextDecoder };

/** `isLabelled`: each line names its node. */
export function createLiveOutput(client: Client, io: Pick<Io, 'stdout'>, isLabelled: boolean): LiveOutput {
  /** By node and stream; gone once the stream has been shown to its end. */
  const positions = new Map<string, Position>();
  const finished = new Set<string>();

  async function show(execution: ExecutionView, stream: (typeof STREAMS)[number]): Promise<void> {
    const { node, invocation_id } = execution;
    const key = `${node}/${stream}`;
    if (finished.has(key)) return;
    const position = positions.get(key) ?? { offset: 0, rest: '', decoder: new TextDecoder() };
    positions.set(key, position);
    const path = `/invocations/${invocation_id}/executions/${node}/output`;
    const bytes = await client.bytes({ path, query: { stream, offset: position.offset } });
    const total = execution[`${stream}_bytes`];
    // A result may come before pieces that were lost on the way; its head and tail are then no continuation.
    const isGap = total !== null && position.offset + bytes.length < total;
    const print = (line: string): void => void io.stdout.write(`${isLabelled ? `${escapeText(node)}: ` : ''}${line}\n`);

    if (!isGap) {
      position.offset += bytes.length;
      const lines = `${position.rest}${position.decoder.decode(bytes, { stream: total === null })}`.split('\n');
      position.rest = lines.pop() ?? '';
      for (const line of lines) print(escapeOutput(line.replace(/\r$/, '')));
    }
    if (execution.finished_at === null) return;
    if (position.rest !== '') print(escapeOutput(position.rest));
    if (isGap) print(`[${stream}: not all of ${total} bytes are shown]`);
    positions.delete(key);
    finished.add(key);
  }

  return {
    async update(executions) {
      for (const execution of executions) {
        if (execution.accepted_at === null && execution.finished_at === null) continue;
        for (const stream of STREAMS) await show(execution, stream);
      }
    },
  };
}
