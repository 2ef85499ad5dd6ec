import type { z } from 'zod';
import type { Risk } from '../../protocol/messages/capabilities.js';
import type { ParameterSpec, ParameterValue } from '../../protocol/messages/parameters.js';
import type { Violation } from '../../protocol/messages/result.js';
import type { Handover } from '../journal/records.js';

/** Where an action's output goes; bytes past the bound are dropped, and that is said. */
export type OutputSink = Readonly<{
  write: (stream: 'stdout' | 'stderr', bytes: Uint8Array | string) => void;
  /** Called by an action that reads no further although there may be more, for either stream: that is said of both. */
  leaveOff?: () => void;
}>;

/** What an action is given when it starts. */
export type ActionContext = Readonly<{
  executionId: string;
  /** Checked against the action's specs, defaults filled in. */
  parameters: ReadonlyMap<string, ParameterValue>;
  /** SHA-256 that the request pins, lower-case hex; hooks do not run without it. */
  checksum?: string;
  /** Milliseconds from the start until `signal` fires by itself. */
  timeoutMs: number;
  /** Fires when it has to end: time-out, cancel or shutdown. */
  signal: AbortSignal;
  output: OutputSink;
  /**
   * Asked right before a program is started, as late as can be: false when the time of the request is over by now. An
   * action with `asksMayStart` that has been told so starts nothing.
   */
  mayStart?: () => boolean;
  /** Called by an action with `asksMayStart` as soon as its program has been started. */
  launched?: () => void;
  /**
   * Called when the program has ended by itself: how it ended is settled then. What is cleared away after it is no part
   * of the run, so neither the time-out nor a cancel counts any more.
   */
  exited?: () => void;
  /**
   * For an action that ends its own process in so many milliseconds: writes down that the next process says how it
   * ended. True once that is on disk; false when the disk does not take it, and then nothing may be begun.
   */
  handOver?: (dueInMs: number) => Promise<boolean>;
}>;

/** What an action gets to see what came of what it has handed over, in this process or in one after it. */
export type FollowContext = Pick<ActionContext, 'executionId' | 'parameters' | 'output'> &
  Readonly<{
    handover: Handover;
    /** Fires when it is cancelled. */
    cancelled: AbortSignal;
    /** Fires when this process ends. */
    leaving: AbortSignal;
  }>;

/**
 * How an action ended by itself. A program that fails is a value, never an exception; whether the end was a time-out
 * or a cancel is the executor's to say, since it fired the signal.
 */
export type ActionEnd =
  | Readonly<{ kind: 'exited'; exitCode: number }>
  | Readonly<{ kind: 'signaled'; signal: NodeJS.Signals }>
  | Readonly<{ kind: 'error'; code: string; message: string; violation?: FoundViolation }>;

/** How `run` ends. `handed_over`: the end is for the next process to say: `handOver` has resolved to true, and what it announced is under way. */
export type RunEnd = ActionEnd | Readonly<{ kind: 'handed_over' }>;

/** What came of it. `left`: this process ended first. `called_off`: it was cancelled, and will not happen. */
export type FollowEnd = ActionEnd | Readonly<{ kind: 'left' }> | Readonly<{ kind: 'called_off' }>;

/** An integrity violation; its time is that of the result. */
export type FoundViolation = Omit<Violation, 'timestamp'>;

/** One thing that a node can do. A new built-in is one file that exports this, and one line in builtins/list.ts. */
export type Action = Readonly<{
  name: string;
  description: string;
  risk: Risk;
  parameters: readonly ParameterSpec[];
  /** Milliseconds; undefined means the request's time-out alone counts. */
  timeoutMs?: number;
  /** Hooks only: the SHA-256 that the file has now, lower-case hex; undefined when it cannot be read. */
  checksum?: () => Promise<string | undefined>;
  /** So many executions of it run at once on this node; undefined means that only the agent's own limit counts. */
  concurrency?: number;
  /**
   * It prepares before it starts a program, asks `mayStart` then and says `launched` after. Any other counts as launched
   * when `run` is called.
   */
  asksMayStart?: true;
  /** Shape of the JSON that it writes to stdout, or to stderr; docs/reference/actions.md is made from them. */
  prints?: z.ZodObject;
  reports?: z.ZodObject;
  run: (context: ActionContext) => Promise<RunEnd>;
  /**
   * Belongs to a `run` that hands over: waits for what comes of it, and does nothing itself but to call it off. Each
   * process asks it until one of them gets an answer.
   */
  follow?: (context: FollowContext) => Promise<FollowEnd>;
}>;
