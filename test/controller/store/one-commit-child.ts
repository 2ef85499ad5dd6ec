import { openStore } from '../../../controller/store/store.js';

/** Makes one commit between two lines on stderr, for whoever traces the system calls. */
const store = await openStore(process.argv[2] ?? '');
process.stderr.write('commit begins\n');
await store.write((tx) => tx.insertInto('meta').values({ key: 'a', value: '1' }).execute());
process.stderr.write('commit acknowledged\n');
await store.close();
