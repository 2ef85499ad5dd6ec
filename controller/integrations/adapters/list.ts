import type { Adapter, Adapters } from '../adapter.js';
import { LINEAR } from './linear.js';
import { SENTRY } from './sentry.js';

/** Every adapter that is part of the controller; a new one is one file and one line here. */
export const ADAPTERS: readonly Adapter[] = [SENTRY, LINEAR];

/** All adapters by name, those of the controller and those of its file. */
export function createAdapters(declared: readonly Adapter[] = []): Adapters {
  return new Map([...ADAPTERS, ...declared].map((adapter) => [adapter.integration, adapter]));
}
