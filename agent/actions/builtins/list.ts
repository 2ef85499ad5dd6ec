import type { Clock } from '../../../runtime/clock.js';
import type { Mask } from '../../../runtime/masking/mask.js';
import type { BuiltinSettings } from '../../builtins-config.js';
import type { OwnProcess } from '../../machine.js';
import type { Action } from '../action.js';
import { createDiskReader } from '../system/disks.js';
import type { System } from '../system/platform.js';
import type { Tools } from '../system/tool.js';
import { diagnostics } from './diagnostics.js';
import { fileFetch } from './file-fetch.js';
import { gatherInfo, type NodeInfo } from './gather-info.js';
import { healthCheck } from './health-check.js';
import { logsTail } from './logs-tail.js';
import { message } from './message.js';
import { ping } from './ping.js';
import { reboot } from './reboot.js';
import { restart } from './restart.js';
import { serviceRestart } from './service-restart.js';
import { serviceStatus } from './service-status.js';

/** What the built-ins are made with. */
export type BuiltinHost = Tools &
  Readonly<{
    node: NodeInfo;
    settings: BuiltinSettings;
    /** URLs of the node's own broker and controller. */
    endpoints: Readonly<{ broker: string; controller: string | undefined }>;
    /** The agent's own, whose files no action hands out. */
    dataDir: string;
    maxOutputBytes: number;
    mask: Mask;
    clock: Clock;
    own: OwnProcess;
    system: System;
    /** The agent's own environment, for the session that it runs in; no program gets it. */
    env: Readonly<Record<string, string | undefined>>;
  }>;

/** Every built-in, one line each. They are part of the program and need no integrity check (P-60). */
export function builtins(host: BuiltinHost): Action[] {
  const { node, settings, endpoints, dataDir, maxOutputBytes, mask, clock, own, system } = host;
  const { services, health_targets: targets, log_files: files, log_units: units, readable_files } = settings;
  const tools: Tools = { path: host.path, isolation: host.isolation, log: host.log };
  const disks = createDiskReader();
  const hidden = [dataDir];
  return [
    gatherInfo(node),
    ping(tools),
    diagnostics({ disks, clock }),
    healthCheck({ endpoints, targets, services, disks, tools, clock }),
    logsTail({ files, units, hidden, maxOutputBytes, mask, tools, clock }),
    serviceStatus({ services, tools }),
    serviceRestart({ services, tools }),
    message({ source: { system, env: host.env, program: settings.message_program }, tools }),
    restart(own),
    reboot({ own, tools, platform: system, command: settings.reboot_command }),
    fileFetch({ rule: { allowed: readable_files, hidden }, maxBytes: maxOutputBytes }),
  ];
}
