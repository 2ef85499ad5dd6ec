import { readFileSync } from 'node:fs';
import type { WakefulClock } from '../runtime/clock.js';
import type { Handover } from './journal/records.js';

/** This process and the boot of the machine that it runs in. */
export type Machine = Readonly<{
  processId: string;
  /** The kernel's, a UUID; undefined where it tells none. */
  bootId: string | undefined;
  clock: WakefulClock;
}>;

/** The id that Linux gives each boot; undefined on other systems. */
export function readBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** What this process leaves to the next one, of something that is to happen in so many milliseconds. */
export function beginHandover({ processId, bootId, clock }: Machine, dueInMs: number): Handover {
  const beganMs = clock.sinceBootMs();
  const dueMs = beganMs + dueInMs;
  return {
    process_id: processId,
    boot_id: bootId ?? null,
    began_ms: beganMs,
    due_ms: dueMs,
    left_ms: Math.max(0, clock.nowMs() + dueInMs),
    left_since_boot_ms: dueMs,
  };
}

/** The same when the process really leaves. */
export function leaveWith(handover: Handover, { clock }: Machine): Handover {
  return { ...handover, left_ms: Math.max(0, clock.nowMs()), left_since_boot_ms: clock.sinceBootMs() };
}

/**
 * Whether the machine has started anew since. Where the kernel tells no boot id, only a machine that has run for less
 * time than then is known to have.
 */
export function hasRebooted({ boot_id, began_ms }: Handover, { bootId, clock }: Machine): boolean {
  if (boot_id !== null && bootId !== undefined) return boot_id !== bootId;
  return clock.sinceBootMs() < began_ms;
}

/**
 * Whole milliseconds from when the process left to now. Within one boot no clock that is set changes it; over a reboot
 * the wall clock says, and a node whose clock starts anew was away for at least as long as it is up.
 */
export function awayMs(handover: Handover, machine: Machine): number {
  const sinceBootMs = machine.clock.sinceBootMs();
  const awayMs = hasRebooted(handover, machine)
    ? Math.max(machine.clock.nowMs() - handover.left_ms, sinceBootMs)
    : sinceBootMs - handover.left_since_boot_ms;
  return Math.max(0, Math.round(awayMs));
}

/** Milliseconds since it was begun; over a reboot those since the process left, and before that as long as it had. */
export function sinceBegunMs(handover: Handover, machine: Machine): number {
  const { began_ms, left_since_boot_ms } = handover;
  if (!hasRebooted(handover, machine)) return Math.max(0, machine.clock.sinceBootMs() - began_ms);
  return Math.max(0, left_since_boot_ms - began_ms) + awayMs(handover, machine);
}

/** The agent's own process, for actions that end it. */
export type OwnProcess = Readonly<{
  machine: Machine;
  /** The files that it was started from: the interpreter and the program. */
  files: readonly string[];
  /** How many executions run now. */
  running: () => number;
  /** Ends it in order, so that it is started again. */
  leave: () => void;
}>;
