import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** A candidate that runs as a process of its own. */
export type CandidateProcess = Readonly<{
  child: ChildProcess;
  /** How long opening took, and by how much it made the process grow. */
  opened: Readonly<{ ms: number; growthBytes: number }>;
  ask: <S extends z.ZodType>(schema: S, asked: Readonly<Record<string, unknown>>) => Promise<z.infer<S>>;
  close: () => Promise<void>;
  kill: () => Promise<void>;
}>;

const LIMIT_MS = 120_000;
const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
const Opened = z.object({ opened: z.object({ ms: z.number(), growthBytes: z.number() }) });

/** Starts the candidate of this name in this directory and waits until it is open. */
export async function startCandidate(name: string, directory: string): Promise<CandidateProcess> {
  const child = fork(CHILD, [name, directory], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' }, // strace counts calls by thread
  });
  const exited = once(child, 'exit');
  const next = async <S extends z.ZodType>(schema: S): Promise<z.infer<S>> => {
    const over = exited.then(() => {
      throw new Error(`${name} ended`);
    });
    const [message]: unknown[] = await Promise.race([
      once(child, 'message', { signal: AbortSignal.timeout(LIMIT_MS) }),
      over,
    ]);
    over.catch(() => undefined);
    return schema.parse(message);
  };
  const { opened } = await next(Opened);
  return {
    ...{ child, opened },
    ask(schema, asked) {
      const answered = next(schema);
      child.send(asked);
      return answered;
    },
    async close() {
      child.send({ do: 'close' });
      await exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
