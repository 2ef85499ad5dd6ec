import { CONTROLLER_SCENARIOS } from './controller/scenarios.js';
import { testInShort } from './short.js';

testInShort(CONTROLLER_SCENARIOS);
