import type { Action } from '../action.js';
import { containerInspect } from './container-inspect.js';
import { containerList } from './container-list.js';
import { containerLogs } from './container-logs.js';
import type { ContainerHost } from './host.js';
import { containerVerbs } from './verbs.js';

/** Everything that may be asked of the containers of a node, and nothing else (D-23). */
export function containerActions(host: ContainerHost): Action[] {
  return [containerList(host), containerInspect(host), containerLogs(host), ...containerVerbs(host)];
}
