import type { FastifyReply } from 'fastify';

/**
 * A signal that fires when the client goes away before its answer is sent, or when `stopping` does. It listens to the
 * answer, not to the request: that one is closed as soon as its body has been read.
 */
export function whenGone(reply: Pick<FastifyReply, 'raw'>, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController();
  const onClose = (): void => {
    stopping.removeEventListener('abort', onStop);
    if (!reply.raw.writableFinished) gone.abort();
  };
  const onStop = (): void => gone.abort();
  reply.raw.once('close', onClose);
  if (stopping.aborted) gone.abort();
  else stopping.addEventListener('abort', onStop, { once: true });
  return gone.signal;
}
