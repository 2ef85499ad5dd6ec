import type { FastifyReply } from 'fastify';

/**
 * A signal that fires when the client goes away before its answer is sent, or when `stopping` does. It listens to the
 * answer, not to the request: that one is closed as soon as its body has been read.
 */
export function whenGone(reply: Pick<FastifyReply, 'raw'>, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController();
  if (stopping.aborted || reply.raw.destroyed) {
    gone.abort(); // it went before we began to listen, and will not be closed again
    return gone.signal;
  }
  const onStop = (): void => gone.abort();
  stopping.addEventListener('abort', onStop, { once: true });
  reply.raw.once('close', () => {
    stopping.removeEventListener('abort', onStop);
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
