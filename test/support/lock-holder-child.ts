import { claimDataDir } from '../../runtime/data-dir.js';

// Claims the directory in its first argument, says so, and stays until it is killed.
await claimDataDir(process.argv[2] ?? '');
process.send?.('claimed');
setInterval(() => undefined, 60_000);
