import type { Logger } from '../../../runtime/logger.js';
import type { Action } from '../action.js';
import type { Isolation } from '../isolation.js';
import { gatherInfo, type NodeInfo } from './gather-info.js';
import { ping } from './ping.js';

/** What the built-ins are made with. */
export type BuiltinHost = Readonly<{
  node: NodeInfo;
  /** PATH in which programs of the system are looked for. */
  path: string;
  isolation: Isolation;
  log: Logger;
}>;

/** Every built-in, one line each. They are part of the program and need no integrity check (P-60). */
export function builtins(host: BuiltinHost): Action[] {
  return [gatherInfo(host.node), ping(host)];
}
