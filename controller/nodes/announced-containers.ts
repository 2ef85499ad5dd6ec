import { z } from 'zod';
import type { Capabilities } from '../../protocol/messages/capabilities.js';

const Reference = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/);

/** What an announcement says of a container, as far as it is needed to find it. */
const Announced = z.object({ id: Reference, name: Reference.optional() });
export type Container = Readonly<z.infer<typeof Announced>>;

/** The containers that a node announces; what has no id that could be one is left out. */
export function containersOf({ containers }: Capabilities): readonly Container[] {
  return containers.flatMap((each) => {
    const parsed = Announced.safeParse(each);
    return parsed.success ? [parsed.data] : [];
  });
}
