import { CONTROLLER_SCENARIOS } from './controller/scenarios.js';
import { testInShort } from './short.js';

// Those on PostgreSQL take twice as long, a server each, and test/system/return.test.ts brings back a smaller fleet:
// `npm run prove:controller` runs them.
testInShort(CONTROLLER_SCENARIOS.filter(({ name }) => name.endsWith('-sqlite') && !name.startsWith('fleet-returns-')));
