import { openStore } from '../../../controller/store/store.js';

/** Tells of one node after another, and names each once it is committed; until it is killed. */
const store = await openStore(process.argv[2] ?? '');
for (let count = 0; ; count += 1) {
  const node = `n${count}`;
  await store.write(async (tx) => tx.tell({ org: 'default', event: { type: 'node', node, change: 'online' } }));
  process.send?.(node);
  await new Promise((later) => setImmediate(later));
}
