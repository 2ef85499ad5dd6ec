import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { createCommitQueue } from '../../../agent/journal/commit-queue.js';
import type { CandidateStore } from './store.js';

type Put = Readonly<{ type: 'put'; key: string; value: Buffer }>;

const STARTING = 's';
const FINISHED = 'f';
const RECEIPTED = 'r';

/** LevelDB with a sync at each batch; what arrives together shares a batch. The state is the first byte of a value. */
export async function openLevelStore(directory: string): Promise<CandidateStore> {
  const database = new ClassicLevel<string, Buffer>(join(directory, 'level'), { valueEncoding: 'buffer' });
  await database.open();
  const queue = createCommitQueue<readonly Put[]>((puts) => database.batch(puts.flat(), { sync: true }));
  const put = (state: string, key: string, bytes: Buffer): Put => ({
    type: 'put',
    key,
    value: Buffer.concat([Buffer.from(state), bytes]),
  });
  return {
    start: (id, request) => queue.add([put(STARTING, id, request)]),
    finish: (id, result) => queue.add([put(FINISHED, id, result)]),
    receipt: (ids) => queue.add(ids.map((id) => put(RECEIPTED, id, Buffer.alloc(0)))),
    async states() {
      const states = new Map<string, 'starting' | 'finished'>();
      for await (const [id, value] of database.iterator()) {
        states.set(id, value.toString('latin1', 0, 1) === STARTING ? 'starting' : 'finished');
      }
      return states;
    },
    async close() {
      await queue.flush();
      await database.close();
    },
  };
}
