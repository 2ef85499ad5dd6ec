import type { RunEnd } from '../../agent/actions/action.js';
import { createEngine } from '../../agent/actions/containers/engine.js';
import type { ContainerHost } from '../../agent/actions/containers/host.js';
import { containerActions } from '../../agent/actions/containers/list.js';
import { createOutputCapture } from '../../agent/actions/output-capture.js';
import { createMaskedSink } from '../../agent/executor/masked-sink.js';
import type { ParameterValue } from '../../protocol/messages/parameters.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { NO_MASK } from '../../runtime/masking/mask.js';
import { EXECUTION_ID } from './hooks.js';

type Changes = Partial<Omit<ContainerHost, 'engine'>> &
  Readonly<{
    answerMs?: number;
    signal?: AbortSignal;
    timeoutMs?: number;
    mayStart?: () => boolean;
    onOutput?: (text: string) => void;
  }>;

/** How a container action ended, and what it wrote. `truncated`: the streams of which there may be more. */
export type ContainerRun = Readonly<{ end: RunEnd; stdout: string; stderr: string; truncated: readonly string[] }>;

/** Runs the container action of this name as the executor would, on the engine behind this socket. */
export async function runContainerAction(
  socket: string | undefined,
  name: string,
  parameters: Readonly<Record<string, ParameterValue>> = {},
  changes: Changes = {},
): Promise<ContainerRun> {
  const { signal = new AbortController().signal, timeoutMs = 30_000, mayStart, onOutput, answerMs, ...host } = changes;
  const maxOutputBytes = host.maxOutputBytes ?? 1024 * 1024;
  const engine = createEngine(() => socket, answerMs === undefined ? {} : { answerMs });
  const actions = containerActions({ engine, ownIds: [], clock: SYSTEM_CLOCK, mask: NO_MASK, ...host, maxOutputBytes });
  const action = actions.find((each) => each.name === name);
  if (action === undefined) throw new Error(`there is no container action ${name}`);
  const capture = createOutputCapture({ maxBytes: maxOutputBytes });
  const sink = createMaskedSink(
    {
      write(stream, bytes) {
        capture.write(stream, bytes);
        onOutput?.(Buffer.from(bytes).toString('utf8'));
      },
      leaveOff: () => capture.leaveOff?.(),
    },
    host.mask ?? NO_MASK,
  );
  const end = await action.run({
    ...{ executionId: EXECUTION_ID, parameters: new Map(Object.entries(parameters)), timeoutMs, signal },
    output: sink,
    ...(mayStart === undefined ? {} : { mayStart }),
  });
  sink.close();
  const text = (stream: 'stdout' | 'stderr'): string => {
    const { data, encoding } = capture.inline(stream, maxOutputBytes);
    return encoding === 'utf-8' ? data : Buffer.from(data, 'base64').toString('utf8');
  };
  const truncated = (['stdout', 'stderr'] as const).filter((stream) => capture.summary(stream).truncated);
  return { end, stdout: text('stdout'), stderr: text('stderr'), truncated };
}

/** The code of an end that is an error; undefined for every other. */
export function codeOf({ end }: ContainerRun): string | undefined {
  return end.kind === 'error' ? end.code : undefined;
}
