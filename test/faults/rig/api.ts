import { setTimeout as wait } from 'node:timers/promises';

/** An answer of the REST API. */
export type Answer = Readonly<{ status: number; headers: Headers; bytes: Buffer }>;

/** The REST API of one or several controllers that may be down for a while. */
export type PatientApi = Readonly<{
  /** Tries again until there is an answer that is neither 5xx nor 429. @throws {Error} after two minutes without */
  call: (
    method: 'GET' | 'POST',
    path: string,
    content?: Readonly<{ body?: unknown; headers?: Readonly<Record<string, string>> }>,
  ) => Promise<Answer>;
}>;

const PATIENCE_MS = 120_000;
const PAUSE_MS = 200;
/** A controller that is stopped in the middle of an answer must not hold up the run for ever. */
const ANSWER_MS = 30_000;
/** Where there is another one to ask, nobody waits so long for one that stands still. */
const ANSWER_OF_SEVERAL_MS = 6_000;

/** With several URLs it asks one after the other, beginning with another one each time. */
export function createPatientApi(urls: readonly string[], token: string): PatientApi {
  const answerMs = urls.length > 1 ? ANSWER_OF_SEVERAL_MS : ANSWER_MS;
  let turn = 0;
  return {
    async call(method, path, { body, headers = {} } = {}) {
      const endMs = performance.now() + PATIENCE_MS;
      for (;;) {
        try {
          turn += 1;
          const answer = await ask(`${urls[turn % urls.length]}/api/v1${path}`, {
            method,
            headers: {
              ...headers,
              authorization: `Bearer ${token}`,
              ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
            signal: AbortSignal.timeout(answerMs),
          });
          if (answer.status < 500 && answer.status !== 429) return answer;
        } catch (cause) {
          if (performance.now() > endMs) throw new Error(`${method} ${path} had no answer`, { cause });
        }
        if (performance.now() > endMs) throw new Error(`${method} ${path} was refused for too long`);
        await wait(PAUSE_MS);
      }
    },
  };
}

async function ask(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
}
