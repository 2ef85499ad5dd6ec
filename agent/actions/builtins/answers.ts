import type { ActionEnd, OutputSink } from '../action.js';

/** One JSON value and a newline on stdout. */
export function printJson<T>(output: OutputSink, value: T): void {
  output.write('stdout', `${JSON.stringify(value)}\n`);
}

/**
 * The end of an action that asks for what this node's settings do not list. `setting` is the key below `agent`; the
 * sentence is the same whether the thing exists or not.
 */
export function notAllowed(what: string, setting: string): ActionEnd {
  return {
    kind: 'error',
    code: 'not_allowed_on_node',
    message: `agent.${setting} of this node does not list ${what}. Who owns the node can add it there.`,
  };
}

/** The end of an action that was asked for properly and could not be done: exit code 1 and a sentence on stderr. */
export function failed(output: OutputSink, sentence: string): ActionEnd {
  output.write('stderr', `${sentence}\n`);
  return { kind: 'exited', exitCode: 1 };
}

/** The end of an action whose parameter has the right type and a value that makes no sense. */
export function invalidParameter(sentence: string): ActionEnd {
  return { kind: 'error', code: 'invalid_parameter', message: sentence };
}

/** The end of an action that outlives its process, when the journal does not take that. */
export function notWritten(what: string): ActionEnd {
  return {
    kind: 'error',
    code: 'storage_failed',
    message: `${what}: the journal cannot be written. Nothing was begun.`,
  };
}
