import type { CreateSandbox, SandboxCreated } from '../../controller/http/sandbox-schemas.js';
import type { Principal } from '../../controller/services.js';
import { OWNER, type TestCore } from './core.js';

/** A sandbox as a test uses it: what was shown once, and the one who asks with it. */
export type TestSandbox = Readonly<{ id: string; token: string; view: SandboxCreated; principal: Principal }>;

/** Makes a sandbox; without connections it may ask every node for everything. */
export async function makeSandbox(
  { core: { services } }: TestCore,
  name: string,
  connections: CreateSandbox['connections'] = [{ target: { fleet: true }, actions: ['*'] }],
): Promise<TestSandbox> {
  const view = await services.sandboxes.create(OWNER, { name, connections });
  const principal = await services.authenticate(view.token);
  if (principal === undefined) throw new Error('the token of a new sandbox speaks for nobody');
  return { id: view.id, token: view.token, view, principal };
}
