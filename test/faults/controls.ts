import type { Control } from './control.js';

/** Negative controls of the agent: they show that the scenarios would notice. */
export const CONTROLS: readonly Control[] = [
  {
    name: 'a journal after the launch',
    breakages: [
      {
        file: 'agent/journal/journal.ts',
        good: "await write({ kind: 'accepted', id, sha256, expires_ms: expiresMs, starting, seq, octets: length }, octets);",
        bad: `const record = { kind: 'accepted', id, sha256, expires_ms: expiresMs, starting, seq, octets: length };
      entries.apply({ record, octets });
      setTimeout(() => queue.add({ record, octets }).catch(() => undefined), 300);`,
      },
    ],
    caughtBy: 'kill-under-load',
    expected: ['lost', 'doubled'],
  },
  {
    name: 'no fsync',
    breakages: [{ file: 'agent/journal/segment.ts', good: '  await syncData(descriptor);\n  return', bad: '  return' }],
    caughtBy: 'power-cut',
    expected: ['lost', 'doubled', 'undefined'],
  },
  {
    name: 'no memory of ids',
    breakages: [
      {
        file: 'agent/executor/admission.ts',
        good: 'if (state.entry !== undefined) return admitKnown(state.entry, sha256);',
        bad: 'void admitKnown;',
      },
    ],
    caughtBy: 'hostile-link',
    expected: ['doubled'],
  },
  {
    name: 'no look at the time',
    breakages: [
      {
        file: 'agent/executor/window.ts',
        good: "return nowMs >= Date.parse(expires_at) ? 'late' : undefined;",
        bad: "return nowMs >= Date.parse(expires_at) + 1e9 ? 'late' : undefined;",
      },
    ],
    caughtBy: 'frozen',
    expected: ['late'],
  },
  {
    name: 'results forgotten before their receipt',
    breakages: [
      {
        file: 'agent/outbox.ts',
        good: 'await publish(payload);\n      unsent.delete(id);',
        bad: 'await publish(payload);\n      unsent.delete(id);\n      waiting.delete(id);\n      void journal.receipt([id]);',
      },
      {
        file: 'agent/session/controls.ts',
        good: 'for (const id of wanted) {',
        bad: 'for (const id of wanted.slice(0, 0)) {',
      },
    ],
    caughtBy: 'controller-kills',
    expected: ['lost', 'undefined'],
  },
  {
    name: 'no time left for anything',
    breakages: [
      {
        file: 'agent/executor/window.ts',
        good: '  if (side === undefined) return undefined;\n',
        bad: '',
      },
    ],
    caughtBy: 'kill-under-load',
    expected: ['lost'],
  },
  {
    name: 'a cancel for everything',
    breakages: [
      {
        file: 'agent/executor/run-action.ts',
        good: 'if (stop.aborted) return { ...CANCELLED',
        bad: 'return { ...CANCELLED',
      },
    ],
    caughtBy: 'kill-under-load',
    expected: ['undefined'],
  },
  {
    name: 'no ear for a cancel of what runs',
    isSlow: true,
    breakages: [
      {
        file: 'agent/executor/executor.ts',
        good: 'slots.cancel(id); // also when the disk is full',
        bad: '',
      },
      {
        file: 'agent/executor/executor.ts',
        good: 'slots.cancel(id);\n      if (waiting',
        bad: 'if (waiting',
      },
    ],
    caughtBy: 'controller-kills',
    expected: ['lost'],
  },
  {
    name: 'an end for the program alone, and not for what it has started',
    breakages: [
      {
        file: 'agent/actions/isolation.ts',
        good: "const base = isWanted('cgroup') ? findCgroup(log) : undefined;",
        bad: `const encloseNobodyElse = async () => {
    let program;
    return {
      endsWithAgent: true,
      lead: (command) => command,
      start(spawn) {
        program = spawn();
        return program;
      },
      terminate: () => void program?.kill('SIGTERM'),
      isEmpty: () => true,
      kill: async () => void program?.kill('SIGKILL'),
      release: async () => undefined,
    };
  };
  return { limit: 'process_group', enclose: encloseNobodyElse };
  const base = undefined;`,
      },
    ],
    caughtBy: 'broker-loss',
    expected: ['orphans'],
  },
];
