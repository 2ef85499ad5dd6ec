import type { Breakage } from '../faults/breakage.js';

/** A build that masks nothing: what the search has to find. What we ship has no switch for it. */
export const UNMASKED: readonly Breakage[] = [
  {
    file: 'runtime/masking/automaton.ts',
    good: 'if (length > 0) onMatch(at + 1 - length, at + 1);',
    bad: '',
  },
];
