import type { Cancel, CancelData, Control, Welcome } from '../../protocol/messages/control.js';
import type { Reply } from '../../protocol/messages/reply.js';
import type { Logger } from '../../runtime/logger.js';
import type { Executor } from '../executor/executor.js';
import type { Journal } from '../journal/contract.js';
import type { Outbox } from '../outbox.js';
import type { Resends } from './resends.js';

/** What a control acts on. `reply` never throws: a lost reply is asked for again. */
export type ControlDeps = Readonly<{
  executor: Executor;
  journal: Journal;
  outbox: Outbox;
  reply: (reply: Omit<Reply, 'v' | 'node' | 'org'>) => void;
  resends: Resends;
  sayHello: () => void;
  publishCapabilities: () => void;
  welcome: (welcome: Welcome) => Promise<void>;
  /** Corrected milliseconds since 1970. */
  nowMs: () => number;
  log: Logger;
}>;

/** A cancel of an id that was never seen is kept this long: its request may still be on the way. */
const TOMBSTONE_MS = 7 * 24 * 3600 * 1000;

/** Does what a believed control asks. */
export async function obey(control: Control, sha256: string, deps: ControlDeps): Promise<void> {
  const { control_id } = control;
  const done = (data: Readonly<Record<string, unknown>>): void =>
    deps.reply({ control_id, control_sha256: sha256, ok: true, data });
  switch (control.kind) {
    case 'welcome': {
      await deps.welcome(control);
      deps.executor.welcomed();
      const unknown = await settleLists(control, deps);
      if (unknown.length > 0) done({ unknown_executions: unknown });
      return;
    }
    case 'receipt':
      return deps.outbox.receipt(control.execution_ids);
    case 'cancel':
      return done(await cancel(control, deps));
    case 'resend':
      return deps.resends.take({
        executionId: control.execution_id,
        fromSeq: control.from_seq,
        refuse: (error) => deps.reply({ control_id, control_sha256: sha256, ok: false, error }),
      });
    case 'announce':
      if (control.capabilities) deps.publishCapabilities();
      return deps.sayHello();
    case 'terminal_open':
    case 'terminal_attach':
    case 'terminal_close':
      deps.log.debug({ kind: control.kind }, 'terminals are not offered');
      return deps.reply({
        control_id,
        control_sha256: sha256,
        ok: false,
        error: {
          code: 'handler_not_found',
          title: 'No terminals',
          message: 'This node offers no terminal.',
          suggestion: 'Choose a node whose capabilities list terminals.',
          retryable: false,
          retry_commands: [],
        },
      });
  }
}

/** Cancels what the controller has cancelled and repeats what it misses; gives the ids that this journal has never seen. */
async function settleLists({ cancelled, wanted }: Welcome, deps: ControlDeps): Promise<string[]> {
  const { journal, outbox, executor } = deps;
  for (const id of cancelled) {
    if (journal.find(id)?.state !== 'finished')
      await executor.cancel({ id, reason: 'cancelled', expiresMs: deps.nowMs() + TOMBSTONE_MS });
  }
  const unknown: string[] = [];
  for (const id of wanted) {
    const entry = journal.find(id);
    if (entry === undefined) unknown.push(id);
    // What is still running here has ended a moment ago, and is not on disk yet.
    else if (entry.state === 'finished' && !executor.running().includes(id)) outbox.add(id);
  }
  outbox.flush();
  return unknown;
}

/** Durable when it resolves. A finished execution stays as it ended. */
async function cancel({ execution_id: id, reason }: Cancel, deps: ControlDeps): Promise<CancelData> {
  const { journal, executor } = deps;
  if (journal.find(id)?.state === 'finished') return { state: 'finished' };
  await executor.cancel({ id, reason, expiresMs: deps.nowMs() + TOMBSTONE_MS });
  return { state: journal.find(id)?.state === 'tombstone' ? 'never_seen' : 'open' };
}
