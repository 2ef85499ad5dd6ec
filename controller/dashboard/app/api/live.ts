import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { StreamMessage } from '../../../http/event-schemas.js';
import { apiUrl } from './client.js';
import { SESSION_KEY } from './queries.js';

/** Whether what is shown follows what happens. */
export type LiveState = 'connecting' | 'live' | 'away';

/** However much happens, what is shown is read anew at most this often. */
const PAUSE_MS = 1_000;
const RETRY_MS = 3_000;

const TYPES = [
  ...['action_approval_request', 'action_approval_result', 'action_completed'],
  ...['invocation', 'execution', 'output', 'node', 'grant', 'ready', 'reset', 'end'],
];

/** Follows the controller's events and has what they are about read anew; `onEnd` when the session is over. */
export function useLive(onEnd: () => void): LiveState {
  const client = useQueryClient();
  const [state, setState] = useState<LiveState>('connecting');
  useEffect(() => follow(client, { onState: setState, onEnd }), [client, onEnd]);
  return state;
}

/**
 * Opens the stream, again and again, while the page is in sight: over HTTP/1.1 browsers share six connections among all
 * tabs of a site, and the streams of six would leave none to ask with. Gives what ends it.
 */
function follow(
  client: QueryClient,
  { onState, onEnd }: { onState: (state: LiveState) => void; onEnd: () => void },
): () => void {
  const renewals = createRenewals(client);
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    const opened = new EventSource(apiUrl('/events'));
    source = opened;
    opened.onerror = () => {
      onState('away');
      if (opened.readyState !== EventSource.CLOSED) return; // it tries again by itself
      client.invalidateQueries({ queryKey: SESSION_KEY }); // it was refused: perhaps nobody is signed in any more
      retry = setTimeout(open, RETRY_MS);
    };
    for (const type of TYPES) opened.addEventListener(type, ({ data }) => take(JSON.parse(data)));
  };
  const take = (message: StreamMessage): void => {
    if (message.type === 'end' && message.code !== 'unavailable') onEnd();
    if (message.type === 'ready') onState('live');
    for (const key of staleAfter(message)) renewals.add(key);
  };
  const close = (): void => {
    clearTimeout(retry);
    source?.close();
    source = undefined;
  };
  const look = (): void => {
    if (document.visibilityState === 'hidden') close();
    else if (source === undefined) open();
  };
  look();
  document.addEventListener('visibilitychange', look);
  return () => {
    document.removeEventListener('visibilitychange', look);
    renewals.stop();
    close();
  };
}

/** Which queries say something else after it; an empty key is all of them. */
function staleAfter(message: StreamMessage): readonly (readonly string[])[] {
  switch (message.type) {
    case 'ready':
    case 'reset':
      return [[]]; // what happened while nobody listened
    case 'node':
      return [['nodes'], ['groups'], ['actions']];
    case 'invocation':
      return [['invocations'], ['approvals'], ['grants']];
    case 'action_approval_request':
    case 'action_approval_result':
      return [['approvals']];
    case 'execution':
      return [
        ['executions', message.invocation_id],
        ['invocations', 'one', message.invocation_id],
      ];
    case 'grant':
      return [['grants']];
    case 'output':
      return [['output', message.invocation_id, message.node]];
    default:
      return [];
  }
}

/**
 * Gathers what is to be read anew, so that a fleet that answers is one reading and not thousands. What is being read
 * waits for its turn: a reading that takes long is neither given up for the next one nor taken for it.
 */
function createRenewals(client: QueryClient) {
  const waiting = new Map<string, readonly string[]>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    timer = undefined;
    for (const [name, queryKey] of [...waiting]) {
      if (queryKey.length > 0 && client.isFetching({ queryKey }) > 0) continue; // not for all of them: something always is
      waiting.delete(name);
      client.invalidateQueries({ queryKey });
    }
    if (waiting.size > 0) timer = setTimeout(flush, PAUSE_MS);
  };
  return {
    add(key: readonly string[]): void {
      waiting.set(key.join(' '), key);
      timer ??= setTimeout(flush, PAUSE_MS);
    },
    stop: () => clearTimeout(timer),
  };
}
