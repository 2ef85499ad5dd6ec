import { spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { TestScope } from './broker.js';
import { temporaryDirectory } from './temporary-directory.js';
import { until } from './until.js';

/** A part and the port of 127.0.0.1 that it serves metrics on. */
export type Targets = Readonly<Record<'broker' | 'controller' | 'agent', number>>;

/** A Prometheus that scrapes with the configuration that we ship, only faster. */
export type TestPrometheus = Readonly<{
  url: string;
  /** The instant vector that an expression gives now; throws when Prometheus does not take it. */
  query: (expr: string) => Promise<readonly Sample[]>;
}>;

const Sample = z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) });
export type Sample = Readonly<z.infer<typeof Sample>>;

const Answer = z.object({
  status: z.literal('success'),
  data: z.object({ resultType: z.literal('vector'), result: z.array(Sample) }),
});

const SHIPPED = fileURLToPath(new URL('../../deploy/prometheus', import.meta.url));
const START_LIMIT_MS = 20_000;

/** Starts this `prometheus` binary on a free port and stops it after the test. */
export async function startPrometheus(t: TestScope, binary: string, targets: Targets): Promise<TestPrometheus> {
  const directory = temporaryDirectory(t);
  cpSync(SHIPPED, directory, { recursive: true });
  const file = join(directory, 'prometheus.yml');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('15s', '500ms'));
  for (const [part, port] of Object.entries(targets)) {
    writeFileSync(join(directory, 'targets', `${part}.yml`), `- targets: ['127.0.0.1:${port}']\n`);
  }

  const child = spawn(
    binary,
    [`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`, '--web.listen-address=127.0.0.1:0'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const url = `http://${await listenAddress(child.stderr)}`;
  await until(async () => (await fetch(`${url}/-/ready`)).ok, { what: 'Prometheus is ready' });
  return {
    url,
    async query(expr) {
      const response = await fetch(`${url}/api/v1/query`, {
        method: 'POST',
        body: new URLSearchParams({ query: expr }),
        signal: AbortSignal.timeout(10_000),
      });
      const body: unknown = await response.json();
      if (!response.ok) throw new Error(`${expr}: ${JSON.stringify(body)}`);
      return Answer.parse(body).data.result;
    },
  };
}

/** Prometheus says on stderr which port it got. */
async function listenAddress(stderr: NodeJS.ReadableStream): Promise<string> {
  const said: string[] = [];
  const lines = createInterface({ input: stderr, signal: AbortSignal.timeout(START_LIMIT_MS) });
  for await (const line of lines) {
    const address = /msg="Listening on" address=(\S+)/.exec(line)?.[1];
    if (address !== undefined) {
      stderr.resume();
      return address;
    }
    said.push(line);
  }
  throw new Error(`prometheus did not start: ${said.slice(-5).join('\n')}`);
}
