import { createLineCutter } from '../../local/lines.js';
import { EngineEvent } from './answers.js';
import { parseJson } from './failure.js';

/** Where the engine tells what happens to its containers, a line of JSON for each event. */
export const EVENTS = `/events?filters=${encodeURIComponent(JSON.stringify({ type: ['container'] }))}`;

const MAX_EVENT_BYTES = 256 * 1024;

/** Looks, and commands inside a container such as its health check: after these it is what it was before. */
const CHANGES_NOTHING = /^(exec_|health_status|top|attach|detach|resize|export|archive-path|extract-to-dir|copy)/;

/**
 * Takes the stream of events, and calls back when the containers may be others after them. What it gives throws
 * {MusterError} invalid_request once an event is longer than 256 KiB.
 */
export function createEventTaker(onEvent: () => void): (bytes: Buffer) => boolean {
  const cut = createLineCutter(MAX_EVENT_BYTES);
  return (bytes) => {
    if (cut(bytes).some(mayChange)) onEvent();
    return true;
  };
}

/** What cannot be read may be anything. */
function mayChange(line: string): boolean {
  if (line.trim() === '') return false;
  const event = EngineEvent.safeParse(parseJson(line));
  return !event.success || !CHANGES_NOTHING.test(event.data.Action ?? event.data.status ?? '');
}
