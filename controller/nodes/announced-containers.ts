import { z } from 'zod';
import { ContainerReference, isMeant, PROTECTED_LABEL } from '../../protocol/containers.js';
import type { Capabilities } from '../../protocol/messages/capabilities.js';
import type { Parameters } from '../../protocol/messages/parameters.js';
import { Labels } from '../../protocol/selectors.js';

const MAX_LABELS = 64;

/**
 * The labels that are some, ours first. One that is none takes none of the others with it: among them may be the one that
 * protects the container.
 */
const ReadableLabels = z
  .record(z.string(), z.unknown())
  .catch({})
  .transform((labels): Labels => {
    const readable = Object.entries(labels).flatMap(([key, value]) => {
      const parsed = Labels.safeParse({ [key]: value });
      return parsed.success ? Object.entries(parsed.data) : [];
    });
    const isOurs = ([key]: readonly [string, string]): number => (key.startsWith('muster.') ? 0 : 1);
    return Object.fromEntries(readable.sort((a, b) => isOurs(a) - isOurs(b)).slice(0, MAX_LABELS));
  });

/** What an announcement says of a container, as far as it is needed to find it, to know what protects it, and to show it. */
const Announced = z.object({
  id: ContainerReference,
  name: ContainerReference.optional().catch(undefined),
  image: z.string().max(256).optional().catch(undefined),
  state: z.string().max(64).optional().catch(undefined),
  labels: ReadableLabels,
});
export type Container = Readonly<z.infer<typeof Announced>>;

/** The containers that a node announces; what has no id that could be one is left out. */
export function containersOf({ containers }: Capabilities): readonly Container[] {
  return containers.flatMap((each) => {
    const parsed = Announced.safeParse(each);
    return parsed.success ? [parsed.data] : [];
  });
}

/** Whether a node has more containers than fitted into its announcement. */
export function hidesContainers({ limits }: Capabilities): boolean {
  return Number(limits.containers_left_out ?? 0) > 0;
}

/** Stands for a container that a node has no room to announce: nobody knows whether it is protected. */
const UNKNOWN: Pick<Container, 'labels'> = { labels: { [PROTECTED_LABEL]: 'true' } };

/**
 * The containers of these nodes that an ask names with its parameter `container`. On a node that does not announce all of
 * its containers one that it does not announce counts as protected.
 */
export function namedContainers(
  records: readonly Readonly<{ containers: readonly Container[]; hidesContainers: boolean }>[],
  { container }: Parameters,
): Pick<Container, 'labels'>[] {
  if (container === undefined) return [];
  return records.flatMap((record) => {
    const named = record.containers.filter((each) => isMeant(each, String(container)));
    return named.length === 0 && record.hidesContainers ? [UNKNOWN] : named;
  });
}
