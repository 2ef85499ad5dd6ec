import { join } from 'node:path';
import type { RigOptions } from './part-options.js';

/** Where the store of a rig's controller is: the URL that its settings name, or the directory of its own file. */
export function storeOf({ controller }: RigOptions, controllerDir: string): string {
  return String(controller?.settings?.store_url ?? join(controllerDir, 'controller'));
}
