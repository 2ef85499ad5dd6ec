import { hostname } from 'node:os';
import type { Capabilities } from '../../../protocol/messages/capabilities.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Logger } from '../../../runtime/logger.js';
import type { Mask } from '../../../runtime/masking/mask.js';
import type { Action } from '../action.js';
import { within } from '../waiting.js';
import { differenceOf, toAnnounced } from './announced.js';
import { createEngine } from './engine.js';
import { containerActions } from './list.js';
import { readOwnIds } from './own-container.js';
import { findSocket } from './socket.js';
import { type ContainerWatch, startContainerWatch } from './watch.js';

/** A start does not wait longer than this for the first list of containers. */
const FIRST_LOOK_MS = 2_000;
/** An engine may be installed later, or start after the agent. */
const SEARCH_MS = 15_000;

/** What a node does about containers. */
export type Containers = Readonly<{
  /** What is announced of them. */
  announced: () => Capabilities['containers'];
  /** There is an engine, and there may be containers of it that are not announced: it has not told yet, or they change without a rest. */
  isUnlisted: () => boolean;
  stop: () => Promise<void>;
}>;

export type ContainersOptions = Readonly<{
  /** `agent.containers_socket`. */
  setting: string;
  /** Where engines usually have their socket. */
  usual: readonly string[];
  maxOutputBytes: number;
  mask: Mask;
  /** Takes the container actions, once: as soon as there is an engine to ask. */
  offer: (actions: readonly Action[]) => void;
  /** What is announced is other than before. */
  onChange: () => void;
  clock: Clock;
  random: () => number;
  log: Logger;
  /** How often a socket is looked for while there is none. */
  searchMs?: number;
}>;

/**
 * Offers the container actions and follows the containers, as soon as there is the socket of an engine. Returns when that
 * has been looked for, and the engine asked for the first time. Nothing is offered, now or later, when the setting is `off`.
 */
export async function startContainers(options: ContainersOptions): Promise<Containers> {
  const { setting, usual, maxOutputBytes, mask, offer, onChange, clock, random, log, searchMs = SEARCH_MS } = options;
  const socket = (): string | undefined => findSocket(setting, usual);
  const ownIds = await readOwnIds({ proc: '/proc/self', hostname: hostname() });
  const engine = createEngine(socket);
  let announced: Capabilities['containers'] | undefined;
  let isRestless = false;

  const begin = (): ContainerWatch | undefined => {
    const found = socket();
    if (found === undefined) return undefined;
    log.info({ socket: found }, 'container engine found');
    offer(containerActions({ engine, ownIds, maxOutputBytes, mask, clock }));
    return startContainerWatch({
      ...{ engine, clock, random, log },
      compare: (listed) => differenceOf(announced, toAnnounced(listed)),
      tell(listed, expectsMore) {
        announced = toAnnounced(listed);
        isRestless = expectsMore;
        onChange();
      },
    });
  };
  let watch = begin();
  const search = setInterval(() => {
    watch = begin();
    if (watch === undefined) return;
    clearInterval(search);
    onChange();
  }, searchMs);
  search.unref();
  if (setting === 'off' || watch !== undefined) clearInterval(search);
  if (watch !== undefined) await within(watch.looked, FIRST_LOOK_MS);
  return {
    announced: () => announced ?? [],
    isUnlisted: () => watch !== undefined && (announced === undefined || isRestless),
    async stop() {
      clearInterval(search);
      await watch?.stop();
    },
  };
}
