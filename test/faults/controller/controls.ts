import type { Control } from '../control.js';

/** Negative controls of the controller: they show that its scenarios would notice. */
export const CONTROLLER_CONTROLS: readonly Control[] = [
  {
    name: 'an answer before the commit',
    breakages: [
      {
        file: 'controller/store/writer.ts',
        good: '        await seal?.end(tx);\n',
        bad: `        await seal?.end(tx);
        for (const { settle } of batch) settle();
        await new Promise((commit) => setTimeout(commit, 300));
`,
      },
      // So that the answer names its executions, it has to see what is not committed.
      { file: 'controller/store/sqlite.ts', good: 'read: forReading.queries', bad: 'read: forWriting.queries' },
    ],
    caughtBy: 'submit-kills-sqlite',
    expected: ['lost'],
    isSlow: true,
  },
  {
    name: 'no memory of keys',
    breakages: [
      {
        file: 'controller/invocations/store-draft.ts',
        good: '  if (use !== undefined) await insertIdempotentUse(tx, use, row.id);\n',
        bad: '',
      },
    ],
    caughtBy: 'submit-kills-sqlite',
    expected: ['doubled'],
  },
  {
    name: 'approvals that do not look at what was said before',
    breakages: [
      {
        file: 'controller/invocations/decide-once.ts',
        good: ".where('status', '=', 'pending')\n    .where('expires_at', '>', nowMs)\n    .where('created_at', '<=', newestMs(nowMs))\n    .executeTakeFirst()",
        bad: '.executeTakeFirst()',
      },
    ],
    caughtBy: 'races-sqlite',
    expected: ['doubled'],
  },
  {
    name: 'no sync of the store',
    breakages: [
      { file: 'controller/store/sqlite.ts', good: 'PRAGMA synchronous = FULL;', bad: 'PRAGMA synchronous = OFF;' },
      { file: 'controller/store/sqlite.ts', good: "'synchronous', 2", bad: "'synchronous', 0" },
    ],
    caughtBy: 'submit-power-cuts-sqlite',
    expected: ['lost'],
    isSlow: true,
  },
  {
    name: 'a broadcast that is not repeated for those who were away',
    breakages: [
      {
        file: 'controller/dispatch/dispatcher.ts',
        good: 'if (each.wasFull !== wasFull ||',
        bad: 'if (each.offered || each.wasFull !== wasFull ||',
      },
    ],
    caughtBy: 'fleet-returns-sqlite',
    expected: ['lost'],
    isSlow: true,
  },
];
