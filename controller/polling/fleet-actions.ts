import type { Capabilities } from '../../protocol/messages/capabilities.js';

/** What may be queued for a node that announces nothing (F-4). */
export const FLEET_ACTIONS = ['message', 'restart', 'reboot'] as const;
export type FleetAction = (typeof FLEET_ACTIONS)[number];

const TEXT = { type: 'string', required: false } as const;

/** What a node that polls is taken to offer until it says otherwise. */
export function fleetCapabilities(node: string, org: string): Capabilities {
  return {
    ...{ v: 1, node, org, hooks: [], containers: [], terminals: [], limits: {} },
    builtin_actions: [
      {
        name: 'message',
        description: 'Shows a message to whoever sits in front of the node',
        parameters: [
          { name: 'message', ...TEXT, description: 'What it says' },
          { name: 'title', ...TEXT, description: 'What stands above it' },
        ],
      },
      { name: 'restart', description: 'Restarts the agent', parameters: [] },
      { name: 'reboot', description: 'Reboots the node', parameters: [] },
    ],
  };
}
