import type { Socket } from 'node:net';
import { toLine } from './lines.js';
import type { Answer } from './messages.js';

/** The sending side of a connection, for a caller that may read slowly or not at all. */
export type Speech = Readonly<{
  /** False when the caller has to read first. */
  say: (answer: Answer) => boolean;
  /** Calls back once there is room again; never when the caller has gone. */
  whenReady: (go: () => void) => void;
  /** Says no more. */
  end: () => void;
}>;

/** A caller that takes nothing for so long is let go; what it started goes on. */
const STALL_MS = 30_000;

export function createSpeech(socket: Socket): Speech {
  let stallTimer: NodeJS.Timeout | undefined;
  const expectReading = (): void => {
    stallTimer ??= setTimeout(() => socket.destroy(), STALL_MS);
  };
  const relax = (): void => {
    clearTimeout(stallTimer);
    stallTimer = undefined;
  };
  socket.on('drain', relax);
  socket.on('close', relax);
  return {
    say(answer) {
      const hasRoom = !socket.writable || socket.write(toLine(answer));
      if (!hasRoom) expectReading();
      return hasRoom;
    },
    whenReady: (go) => void socket.once('drain', go),
    end() {
      if (socket.destroyed) return;
      expectReading();
      socket.end();
    },
  };
}
