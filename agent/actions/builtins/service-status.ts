import { z } from 'zod';
import type { Action } from '../action.js';
import type { Tools } from '../system/tool.js';
import { allowedUnit, showUnits, toUnit, UnitState } from '../system/units.js';
import { notAllowed, printJson } from './answers.js';

/** What `service_status` prints. */
export const ServiceStatus = z.object({ services: z.array(UnitState) });
export type ServiceStatus = Readonly<z.infer<typeof ServiceStatus>>;

/** Shows what systemd says of the units in `agent.services`, or of one of them. */
export function serviceStatus({ services, tools }: { services: readonly string[]; tools: Tools }): Action {
  return {
    name: 'service_status',
    description: 'State of the services that agent.services lists',
    risk: 'read',
    parameters: [
      { name: 'service', type: 'string', required: false, description: 'One of them; all when it is left out' },
    ],
    prints: ServiceStatus,
    async run({ parameters, output, signal }) {
      const asked = String(parameters.get('service') ?? '');
      if (services.length === 0) return notAllowed('any service', 'services');
      const unit = allowedUnit(asked, services);
      if (asked !== '' && unit === undefined) return notAllowed(`the service ${asked}`, 'services');
      const units = unit === undefined ? services.map(toUnit) : [unit];
      const shown = await showUnits(units, tools, signal);
      if (shown.kind === 'failed') return shown.end;
      printJson<ServiceStatus>(output, { services: shown.units.map(({ state }) => state) });
      return { kind: 'exited', exitCode: 0 };
    },
  };
}
