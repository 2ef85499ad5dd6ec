import { openLevelStore } from './level-store.js';
import { openLibsqlStore } from './libsql-store.js';
import { openOwnStore } from './own-store.js';
import type { OpenCandidate } from './store.js';

/** What is compared, by the name under which it is shown. */
export const CANDIDATES: Readonly<Record<string, OpenCandidate>> = {
  journal: openOwnStore,
  libsql: openLibsqlStore,
  'classic-level': openLevelStore,
};
