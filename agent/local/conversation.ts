import type { Socket } from 'node:net';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { createLineCutter, parseLine } from './lines.js';
import { type Ask, Cancelling, MAX_ASK_BYTES, Opening } from './messages.js';
import { checkProof, createNonce } from './proof.js';
import type { Door } from './server.js';
import { createSpeech, type Speech } from './speech.js';

/** A caller that has proved who it is. */
export type Caller = Pick<Speech, 'say' | 'whenReady'> &
  Readonly<{
    uid: number;
    /** Calls back when it says cancel, or has said so. */
    onCancel: (cancel: () => void) => void;
    /** Calls back when it has gone, or is no longer waited for. */
    onGone: (gone: () => void) => void;
  }>;

export type ConversationDeps = Readonly<{
  isAllowed: (uid: number) => boolean;
  /** Called once the caller is known: from now on it counts as one of those that are served. */
  onProved: () => void;
  /** Answers an ask; resolves when all is said. @throws {MusterError} what the caller is told */
  answer: (ask: Ask, caller: Caller) => Promise<void>;
  /** What is not served: counted, and logged now and then. */
  refused: (error: MusterError) => void;
}>;

/** Between the connection and the ask. */
const OPENING_MS = 5_000;
/** Cancelling once is enough. */
const MAX_MORE_LINES = 8;

/** Serves one connection: challenge, proof and ask, answer. Whatever comes over it, the agent lives. */
export function converse(socket: Socket, door: Door, deps: ConversationDeps): void {
  const nonce = createNonce();
  const speech = createSpeech(socket);
  const cancel = createCancel();
  const cut = createLineCutter(MAX_ASK_BYTES);
  let state: 'opening' | 'asked' | 'over' = 'opening';
  let moreLines = 0;
  const timer = setTimeout(
    () => refuse(new MusterError('deadline_passed', 'The ask did not come in time')),
    OPENING_MS,
  );

  function refuse(error: MusterError): void {
    if (state === 'over') return;
    deps.refused(error);
    tell(error);
  }
  function tell({ code, message }: MusterError): void {
    speech.say({ kind: 'refused', code, message });
    end();
  }
  function end(): void {
    state = 'over';
    clearTimeout(timer);
    speech.end();
  }
  function open(line: string): void {
    state = 'asked';
    clearTimeout(timer);
    const opened = openingOf(line, { nonce, door, isAllowed: deps.isAllowed });
    if (opened instanceof MusterError) refuse(opened);
    else serve(opened);
  }
  function serve({ ask, uid }: { ask: Ask; uid: number }): void {
    deps.onProved();
    const onGone = (gone: () => void): void => void (socket.destroyed ? gone() : socket.once('close', gone));
    deps.answer(ask, { ...speech, uid, onCancel: cancel.on, onGone }).then(end, (error: unknown) => {
      if (!isMusterError(error)) throw error;
      tell(error);
    });
  }
  function take(line: string): void {
    if (state === 'opening') open(line);
    else if (state === 'asked') takeMore(line);
  }
  function takeMore(line: string): void {
    moreLines += 1;
    if (moreLines <= MAX_MORE_LINES && Cancelling.safeParse(parseLine(line)).success) cancel.now();
    else refuse(notUnderstood());
  }

  socket.on('close', () => {
    state = 'over';
    clearTimeout(timer);
  });
  socket.on('data', (chunk: Buffer) => {
    if (state === 'over') return;
    try {
      for (const line of cut(chunk)) take(line);
    } catch (error) {
      if (!isMusterError(error)) throw error;
      refuse(error);
    }
  });
  speech.say({ kind: 'challenge', v: 1, nonce });
}

/** Who asks for what, or why that is not served. */
function openingOf(
  line: string,
  { nonce, door, isAllowed }: { nonce: string; door: Door; isAllowed: (uid: number) => boolean },
): { ask: Ask; uid: number } | MusterError {
  const opening = Opening.safeParse(parseLine(line));
  if (!opening.success) return notUnderstood();
  const { proof, ask } = opening.data;
  const uid = checkProof(door.callers, proof, { nonce, socket: door.socket });
  if (uid !== undefined && isAllowed(uid)) return { ask, uid };
  return new MusterError(
    'not_a_local_user',
    'This user may not ask the agent: only root, the user of the agent and those in agent.local_users may',
  );
}

function createCancel(): { on: (cancel: () => void) => void; now: () => void } {
  const listeners: (() => void)[] = [];
  let isSaid = false;
  return {
    on(cancel) {
      listeners.push(cancel);
      if (isSaid) cancel();
    },
    now() {
      isSaid = true;
      for (const cancel of listeners) cancel();
    },
  };
}

function notUnderstood(): MusterError {
  return new MusterError('invalid_request', 'The agent does not understand what it was asked');
}
