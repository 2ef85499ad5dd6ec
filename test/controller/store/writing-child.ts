import { openStore } from '../../../controller/store/store.js';

/** Writes as fast as it can, four at a time, and names each key once it is acknowledged; until it is killed. */
const store = await openStore(process.argv[2] ?? '');
for (let round = 0; ; round += 1) {
  await Promise.all(
    [0, 1, 2, 3].map(async (lane) => {
      const key = `${round}-${lane}`;
      await store.write((tx) => tx.insertInto('meta').values({ key, value: '' }).execute());
      process.send?.(key);
    }),
  );
  await new Promise((later) => setImmediate(later));
}
