import { SCENARIO_GROUPS } from './scenarios.js';
import { testInShort } from './short.js';

testInShort(SCENARIO_GROUPS.brokers);
