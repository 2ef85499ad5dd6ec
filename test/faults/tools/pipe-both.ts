import type { Socket } from 'node:net';

/** Passes bytes both ways, and ends each socket with the other. */
export function pipeBoth(one: Socket, two: Socket): void {
  for (const [socket, other] of [
    [one, two],
    [two, one],
  ] as const) {
    socket.on('error', () => undefined);
    socket.on('close', () => other.destroy());
    socket.pipe(other);
  }
}
