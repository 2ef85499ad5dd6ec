import type { CreateInvocation } from '../../controller/http/schemas.js';
import type { InvocationService } from '../../controller/services.js';
import type { Selector } from '../../protocol/selectors.js';
import { OWNER } from './core.js';

/** An ask for `ping`, as it comes out of its schema. */
export function askFor(target: Selector, changes: Partial<CreateInvocation> = {}): CreateInvocation {
  return { action: 'ping', target, parameters: {}, stream: false, confirm: false, ...changes };
}

/** Makes an invocation as the owner; gives its id. */
export async function invoke(
  { create }: InvocationService,
  target: Selector,
  changes: Partial<CreateInvocation> = {},
): Promise<string> {
  const { invocation } = await create(OWNER, askFor(target, changes), { bodySha256: '0'.repeat(64) });
  return invocation.id;
}
