import type { Socket } from 'node:net';
import { parsePayload } from '../../protocol/envelope.js';
import type { MusterError } from '../../protocol/errors.js';
import { Capabilities } from '../../protocol/messages/capabilities.js';
import { type Caller, converse } from './conversation.js';
import type { Ask } from './messages.js';
import { answerRun, type RunDeps } from './run-ask.js';
import type { Door } from './server.js';
import { readStatus, type StatusDeps } from './status.js';
import type { Users } from './users.js';

/** What answering a caller takes. */
export type AnswerDeps = RunDeps & StatusDeps & Readonly<{ users: Users }>;

/** Serves one connection from its challenge to its end. */
export function serveCaller(
  socket: Socket,
  door: Door,
  { deps, ...events }: { deps: AnswerDeps; onProved: () => void; refused: (error: MusterError) => void },
): void {
  const { isAllowed } = deps.users;
  converse(socket, door, { ...events, isAllowed, answer: (ask, caller) => answer(ask, caller, deps) });
}

/** @throws {MusterError} what the caller is told */
async function answer(ask: Ask, caller: Caller, deps: AnswerDeps): Promise<void> {
  switch (ask.kind) {
    case 'status':
      caller.say({ kind: 'status', status: readStatus(deps) });
      return;
    case 'actions': {
      const { builtin_actions: builtins, hooks } = parsePayload(Capabilities, deps.capabilities());
      caller.say({ kind: 'actions', builtins, hooks });
      return;
    }
    case 'run':
      return answerRun(ask, caller, deps);
  }
}
