import { connect, type Socket } from 'node:net';
import { MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';
import { type HeldDirectory, holdDirectory } from '../../runtime/held-directory.js';
import { createLineCutter, parseLine, toLine } from './lines.js';
import { Answer, type Ask, MAX_ANSWER_BYTES } from './messages.js';
import { namesOf } from './place.js';
import { identityOf, makeProof } from './proof.js';

/** What an agent says to an ask, but for challenge and refusal. */
export type Said = Exclude<Answer, { kind: 'challenge' | 'refused' }>;

/** An ask that an agent answers. */
export type LocalCall = Readonly<{
  /**
   * What it says, in order, to the end; to be read once.
   * @throws {MusterError} what it refuses with, not_a_local_user, deadline_passed, invalid_request
   */
  answers: AsyncIterable<Said>;
  /** Asks it to end what it runs. */
  cancel: () => void;
}>;

/** An agent that lives answers a connection at once. */
const CHALLENGE_MS = 5_000;

/** An agent's socket that was reached, through its directory. */
type Reached = Readonly<{ socket: Socket; address: string; callers: string; held: HeldDirectory }>;

/**
 * Asks the agent of the first of these sockets that answers.
 * @throws {MusterError} agent_not_found, not_a_local_user
 */
export async function askAgent(sockets: readonly string[], ask: Ask): Promise<LocalCall> {
  for (const path of sockets) {
    const reached = await reach(path);
    if (reached === undefined) continue;
    return { answers: converse(reached, ask), cancel: () => void reached.socket.write(toLine({ v: 1, cancel: true })) };
  }
  throw new MusterError('agent_not_found', `No agent answers on ${sockets.join(' or ')}`);
}

async function reach(path: string): Promise<Reached | undefined> {
  const { directory, socket: name, callers } = namesOf(path);
  let held: HeldDirectory | undefined;
  try {
    held = holdDirectory(directory);
    const address = held.path(name);
    return { socket: await open(address), address, callers: held.path(callers), held };
  } catch (cause) {
    held?.close();
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    if (errno === 'EACCES' || errno === 'EPERM') throw notAllowed(cause);
    return undefined;
  }
}

function open(address: string): Promise<Socket> {
  return new Promise((opened, failed) => {
    const socket = connect(address);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      opened(socket);
    });
  });
}

/** Reads no faster than it is read from. */
async function* converse(reached: Reached, ask: Ask): AsyncGenerator<Said> {
  const { socket, held } = reached;
  const cut = createLineCutter(MAX_ANSWER_BYTES);
  const late = new MusterError('deadline_passed', 'The agent does not answer');
  const timer = setTimeout(() => socket.destroy(late), CHALLENGE_MS);
  let forget = (): void => undefined;
  try {
    for await (const chunk of socket) {
      for (const line of cut(chunk)) {
        const answer = understand(line);
        clearTimeout(timer);
        if (answer.kind === 'refused') throw new MusterError(answer.code, answer.message);
        if (answer.kind === 'challenge') forget = prove(reached, answer.nonce, ask);
        else yield answer;
      }
    }
  } catch (error) {
    if (errnoOf(error) === undefined || error instanceof MusterError) throw error;
    // Torn by an agent that was killed: whoever reads notices that the end is missing.
  } finally {
    clearTimeout(timer);
    forget();
    socket.destroy();
    held.close();
  }
}

/** @throws {MusterError} invalid_request: it is another release, or no agent */
function understand(line: string): Answer {
  const answer = Answer.safeParse(parseLine(line));
  if (answer.success) return answer.data;
  throw new MusterError('invalid_request', 'The agent says what this release does not understand');
}

/** Answers the challenge and asks; gives what takes the proof away. @throws {MusterError} not_a_local_user */
function prove({ socket, address, callers }: Reached, nonce: string, ask: Ask): () => void {
  try {
    const { name, remove } = makeProof(callers, nonce, identityOf(address));
    socket.write(toLine({ v: 1, proof: name, ask }));
    return remove;
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    throw notAllowed(cause);
  }
}

function notAllowed(cause: unknown): MusterError {
  return new MusterError('not_a_local_user', 'The agent of this node does not let this user ask', { cause });
}
