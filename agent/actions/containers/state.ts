import { z } from 'zod';
import type { InspectedContainer } from './answers.js';
import { clip } from './clip.js';

const MAX_STATUS_LENGTH = 32;

/** What a container is doing. */
export const ContainerState = z.object({
  status: z.string().describe('`created`, `running`, `paused`, `restarting`, `exited`, `dead`, …'),
  health: z.string().nullable().describe('`starting`, `healthy` or `unhealthy`; null without a health check'),
  exit_code: z.int().nullable().describe('Of its last run, once that has ended'),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  restarts: z.int().nullable().describe('How often the engine has started it again by itself'),
  out_of_memory: z.boolean().describe('Its last run was ended by the kernel for want of memory'),
  error: z.string().nullable().describe('Why the engine could not start it'),
});
export type ContainerState = Readonly<z.infer<typeof ContainerState>>;

/** What the engine says of a container, in our words. */
export function toState({ State, RestartCount }: InspectedContainer): ContainerState {
  const { Status, ExitCode, Health } = State;
  return {
    status: toStatus(Status),
    health: nothingIs(Health?.Status, ['', 'none']),
    exit_code: isUp(Status) || Status === 'created' ? null : (ExitCode ?? null),
    started_at: toMoment(State.StartedAt),
    finished_at: isUp(Status) ? null : toMoment(State.FinishedAt),
    restarts: RestartCount ?? null,
    out_of_memory: State.OOMKilled ?? false,
    error: nothingIs(State.Error, ['']),
  };
}

/** Podman calls one that has just ended `stopped` until it has tidied up after it. */
export function toStatus(word: string): string {
  return word === 'stopped' ? 'exited' : clip(word, MAX_STATUS_LENGTH);
}

/** Whether a container of this status has processes. */
export function isUp(status: string): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting' || status === 'stopping';
}

/** Engines write the year 1 where something has never been. */
export function toMoment(text: string | null | undefined): string | null {
  const ms = text === null || text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) || ms <= 0 ? null : clip(text ?? '');
}

function nothingIs(text: string | null | undefined, empty: readonly string[]): string | null {
  return text === null || text === undefined || empty.includes(text) ? null : clip(text);
}
