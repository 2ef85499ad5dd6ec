import { z } from 'zod';
import { ContainerReference, isMeant } from '../../protocol/containers.js';
import type { Capabilities } from '../../protocol/messages/capabilities.js';
import type { Parameters } from '../../protocol/messages/parameters.js';
import { Labels } from '../../protocol/selectors.js';

/** What an announcement says of a container, as far as it is needed to find it, to know what protects it, and to show it. */
const Announced = z.object({
  id: ContainerReference,
  name: ContainerReference.optional().catch(undefined),
  image: z.string().max(256).optional().catch(undefined),
  state: z.string().max(64).optional().catch(undefined),
  labels: Labels.default({}).catch({}),
});
export type Container = Readonly<z.infer<typeof Announced>>;

/** The containers that a node announces; what has no id that could be one is left out. */
export function containersOf({ containers }: Capabilities): readonly Container[] {
  return containers.flatMap((each) => {
    const parsed = Announced.safeParse(each);
    return parsed.success ? [parsed.data] : [];
  });
}

/** The containers of these nodes that an ask names with its parameter `container`. */
export function namedContainers(
  records: readonly Readonly<{ containers: readonly Container[] }>[],
  { container }: Parameters,
): Container[] {
  if (container === undefined) return [];
  return records.flatMap(({ containers }) => containers.filter((each) => isMeant(each, String(container))));
}
