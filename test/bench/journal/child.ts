// A candidate in a process of its own: child.ts NAME DIRECTORY. Does what its parent asks, one thing at a time.
import { readFileSync } from 'node:fs';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { CANDIDATES } from './candidates.js';

/** What a parent may ask. `lives`: from start to receipt; `endless`: starts and finishes, telling each, until killed. */
const Asked = z.discriminatedUnion('do', [
  z.object({ do: z.literal('starts'), count: z.int(), inFlight: z.int() }),
  z.object({ do: z.literal('lives'), count: z.int(), inFlight: z.int() }),
  z.object({ do: z.literal('fill'), count: z.int() }),
  z.object({ do: z.literal('try'), id: z.string(), bytes: z.int() }),
  z.object({ do: z.literal('endless'), inFlight: z.int() }),
  z.object({ do: z.literal('states') }),
  z.object({ do: z.literal('close') }),
]);
type Asked = z.infer<typeof Asked>;

const REQUEST = Buffer.alloc(600, 'q');
const RESULT = Buffer.alloc(800, 'r');

const [name = '', directory = ''] = process.argv.slice(2);
const open = CANDIDATES[name];
if (open === undefined) throw new Error(`there is no ${name}`);
const bareBytes = residentBytes();
const openedMs = performance.now();
const store = await open(directory);
await store.states(); // an agent has to know at once what is open and what waits
const openMs = performance.now() - openedMs;
process.send?.({ opened: { ms: openMs, growthBytes: residentBytes() - bareBytes } });
process.on('message', (message) => void answer(Asked.parse(message)));

async function answer(asked: Asked): Promise<void> {
  switch (asked.do) {
    case 'starts':
      return tell(await measure(asked, async () => store.start(uuidv7(), REQUEST)));
    case 'lives':
      return tell(
        await measure(asked, async () => {
          const id = uuidv7();
          await store.start(id, REQUEST);
          await store.finish(id, RESULT);
          await store.receipt([id]);
        }),
      );
    case 'fill':
      await measure({ count: asked.count, inFlight: 64 }, async () => {
        const id = uuidv7();
        await store.start(id, REQUEST);
        await store.finish(id, RESULT);
      });
      return tell({ done: true });
    case 'try':
      return tell(
        await store.start(asked.id, Buffer.alloc(asked.bytes, 'q')).then(
          () => ({ ok: true }),
          (error: unknown) => ({ ok: false, error: String(error) }),
        ),
      );
    case 'endless':
      await Promise.all(Array.from({ length: asked.inFlight }, endless));
      return;
    case 'states':
      return tell({ states: [...(await store.states())] });
    case 'close':
      await store.close();
      process.disconnect();
  }
}

async function endless(): Promise<void> {
  for (;;) {
    const id = uuidv7();
    await store.start(id, REQUEST);
    tell({ started: id });
    await store.finish(id, RESULT);
    tell({ finished: id });
  }
}

async function measure(
  { count, inFlight }: { count: number; inFlight: number },
  work: () => Promise<void>,
): Promise<{ ms: number; writtenBytes: number }> {
  const before = writtenBytes();
  const startMs = performance.now();
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return { ms: performance.now() - startMs, writtenBytes: writtenBytes() - before };
}

function tell(message: object): void {
  process.send?.(message);
}

/** What this process has made the disk write. */
function writtenBytes(): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1]);
}

function residentBytes(): number {
  return process.memoryUsage.rss();
}
