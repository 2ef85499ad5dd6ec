import { addAbortListener } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isMusterError, MusterError } from '../protocol/errors.js';
import { type KeyList, openKeyList } from '../protocol/key-list.js';
import type { VerifyKey } from '../protocol/keys.js';
import { openRevocations } from '../protocol/revocations.js';
import { writeFileAtomic } from '../runtime/atomic-file.js';
import { readBounded } from '../runtime/bounded-answer.js';
import { makeDataDir } from '../runtime/data-dir.js';
import { errnoOf } from '../runtime/errno.js';
import type { Logger } from '../runtime/logger.js';

/** Five seconds, a look at the file within one more and at the clients within another: inside the ten of promise 20. */
const POLL_MS = 5_000;
const CALL_TIMEOUT_MS = 4_000;
const MAX_BYTES = 4 * 1024 * 1024;

/** One list: where it is asked for, where it is kept, and what opens it. */
type List = {
  readonly path: string;
  readonly file: string;
  /** @throws {MusterError} it does not hold */
  readonly open: (jws: string) => { version: number };
  version: number;
  etag: string | undefined;
  isFailing: boolean;
};

/**
 * Asks the controller for its signed lists every five seconds and keeps each newer one in its file, from which the
 * broker reads them as if somebody had copied them there: a broker that starts while the controller is away goes by what
 * it knew. What does not hold, or is older than what is kept, changes nothing. Resolves after the first round.
 * @throws {MusterError} unavailable (there is no key list yet, and none came), data_dir_unusable
 */
export async function startFetchedLists({
  url,
  org,
  root,
  keysFile,
  revocationsFile,
  pollMs = POLL_MS,
  log,
}: {
  url: string;
  org: string;
  root: VerifyKey;
  keysFile: string;
  revocationsFile: string;
  pollMs?: number;
  log: Logger;
}): Promise<() => Promise<void>> {
  for (const file of [keysFile, revocationsFile]) makeDataDir(dirname(file));
  let keys: KeyList | undefined;
  const openKeys = (jws: string): KeyList => {
    const next = openKeyList(jws, root, org);
    if (next.version >= (keys?.version ?? 0)) keys = next;
    return next;
  };
  const keyOf = (kid: string) => keys?.keys.get(kid);
  const lists = [
    kept({ path: 'keys', file: keysFile, open: openKeys }),
    kept({ path: 'revocations', file: revocationsFile, open: (jws) => openRevocations(jws, { org, keyOf }) }),
  ];
  const stopping = new AbortController();
  const poll = async (): Promise<void> => {
    for (const list of lists) await refresh(list, { url, signal: stopping.signal, log });
  };

  await poll();
  if (keys === undefined) {
    throw new MusterError('unavailable', `There is no key list in ${keysFile}, and the controller at ${url} gave none`);
  }
  let polling: Promise<void> | undefined;
  const timer = setInterval(() => {
    polling ??= poll().finally(() => {
      polling = undefined;
    });
  }, pollMs);
  return async () => {
    clearInterval(timer);
    stopping.abort();
    await polling;
  };
}

/** A list as its file has it; what cannot be read or does not hold counts as none. */
function kept(list: Pick<List, 'path' | 'file' | 'open'>): List {
  try {
    const { version } = list.open(readFileSync(list.file, 'utf8').trim());
    return { ...list, version, etag: undefined, isFailing: false };
  } catch (error) {
    if (!isMusterError(error) && errnoOf(error) === undefined) throw error;
    return { ...list, version: 0, etag: undefined, isFailing: false };
  }
}

/** Asks once; a failure is logged when it is the first of several, and tried again with the next round. */
async function refresh(
  list: List,
  { url, signal, log }: { url: string; signal: AbortSignal; log: Logger },
): Promise<void> {
  const before = list.version;
  try {
    const answer = await ask(list, url, signal);
    if (answer !== undefined) take(list, answer);
    list.isFailing = false;
    if (list.version > before) log.info({ list: list.path, version: list.version }, 'list of the controller fetched');
  } catch (error) {
    if (!isMusterError(error)) throw error;
    if (signal.aborted) return;
    if (!list.isFailing) log.warn({ list: list.path, reason: error.message }, 'list of the controller not fetched');
    list.isFailing = true;
  }
}

/** @throws {MusterError} stale, storage_failed, and why a list does not hold */
function take(list: List, answer: Answer): void {
  const { version } = list.open(answer.jws);
  if (version < list.version) {
    throw new MusterError('stale', `version ${version} of the list of ${list.path} is older than ${list.version}`);
  }
  try {
    writeFileAtomic(list.file, answer.jws, 0o644);
  } catch (cause) {
    throw new MusterError('storage_failed', `${list.file} cannot be written to`, { cause });
  }
  list.version = version;
  list.etag = answer.etag;
}

type Answer = Readonly<{ jws: string; etag: string | undefined }>;

/** Undefined when it has not changed. @throws {MusterError} unavailable */
async function ask({ path, etag }: List, url: string, signal: AbortSignal): Promise<Answer | undefined> {
  const endpoint = `${url.replace(/\/+$/, '')}/api/v1/broker/${path}`;
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), CALL_TIMEOUT_MS);
  const listener = addAbortListener(signal, () => ending.abort());
  try {
    const response = await fetch(endpoint, {
      headers: etag === undefined ? {} : { 'if-none-match': etag },
      redirect: 'error',
      signal: ending.signal,
    });
    if (response.status === 304) return undefined;
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    const jws = await readBounded(response, MAX_BYTES);
    if (jws === undefined) throw new Error(`its answer is larger than ${MAX_BYTES} bytes`);
    return { jws: jws.trim(), etag: response.headers.get('etag') ?? undefined };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MusterError('unavailable', `The controller at ${endpoint} gave no list: ${why}`, { cause });
  } finally {
    clearTimeout(timer);
    listener[Symbol.dispose]();
  }
}
