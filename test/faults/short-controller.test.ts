import { CONTROLLER_SCENARIOS } from './controller/scenarios.js';
import { testInShort } from './short.js';

// Those on PostgreSQL take twice as long, a server each: `npm run prove:controller` runs them.
testInShort(CONTROLLER_SCENARIOS.filter(({ name }) => name.endsWith('-sqlite')));
