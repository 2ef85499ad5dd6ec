/** Where a code is spoken: `refusal` is only counted, the others are told to a peer. */
export type ErrorVoice = 'refusal' | 'ack' | 'result' | 'api' | 'startup';

/** One failure of the table. */
export type ErrorEntry = Readonly<{
  voices: readonly ErrorVoice[];
  /** The HTTP status that carries the code, for `api` codes. */
  http?: number;
  /** True when the same ask may succeed later without a change. */
  retryable: boolean;
  meaning: string;
  next: string;
}>;

/** A code that is spoken in several places, or with more than its kind says. */
export function entry(
  voices: readonly ErrorVoice[],
  { http, retryable = false, meaning, next }: { http?: number; retryable?: boolean; meaning: string; next: string },
): ErrorEntry {
  return http === undefined ? { voices, retryable, meaning, next } : { voices, http, retryable, meaning, next };
}

/** Why a message is not believed. */
export function refusal(meaning: string, next: string): ErrorEntry {
  return entry(['refusal'], { meaning, next });
}

/** Why an agent does not take a request. */
export function ack(retryable: boolean, meaning: string, next: string): ErrorEntry {
  return entry(['ack'], { retryable, meaning, next });
}

/** How an action ended as `error`. */
export function result(meaning: string, next: string): ErrorEntry {
  return entry(['result'], { meaning, next });
}

/** What a caller of the REST API is told, and with which status. */
export function api(http: number, meaning: string, next: string, retryable = false): ErrorEntry {
  return entry(['api'], { http, retryable, meaning, next });
}

/** Why a process of ours ends. */
export function startup(meaning: string, next: string): ErrorEntry {
  return entry(['startup'], { meaning, next });
}
