import type { Adapter, Adapters } from '../adapter.js';
import { LINEAR } from './linear.js';
import { SENTRY } from './sentry.js';

/** Every adapter that is part of the controller; a new one is one file and one line here. */
export const ADAPTERS: readonly Adapter[] = [SENTRY, LINEAR];

/** All adapters by name, those of the controller and those of its file. */
export function createAdapters(declared: readonly Adapter[] = []): ReadonlyMap<string, Adapter> {
  return new Map([...ADAPTERS, ...declared].map((adapter) => [adapter.integration, adapter]));
}

/** Adapters in use of which those of the file can be replaced. */
export type LiveAdapters = Readonly<{ adapters: Adapters; replace: (declared: readonly Adapter[]) => void }>;

export function createLiveAdapters(declared: readonly Adapter[]): LiveAdapters {
  let now = createAdapters(declared);
  return {
    adapters: { get: (name) => now.get(name), has: (name) => now.has(name), keys: () => now.keys() },
    replace(next) {
      now = createAdapters(next);
    },
  };
}
