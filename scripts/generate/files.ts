import { renderFleetDashboard } from '../../deploy/grafana/build-dashboard.js';
import { actionsPage } from './actions.js';
import { asyncApiDocument } from './asyncapi.js';
import { configurationPage } from './configuration.js';
import { errorsPage } from './errors.js';
import { metricsPage } from './metrics.js';
import { openApiDocument } from './openapi.js';
import { policyPage } from './policy.js';
import { MESSAGE_NAMES, messageSchema } from './schemas.js';
import { fillTopicsPage } from './topics.js';

/** Every generated file: path below the repository → text. `read` gives the text of a file that is filled in. */
export async function generatedFiles(read: (path: string) => string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const name of MESSAGE_NAMES) files.set(`docs/reference/schemas/${name}.json`, toJson(messageSchema(name)));
  files.set('docs/reference/asyncapi.json', toJson(asyncApiDocument()));
  files.set('docs/reference/errors.md', errorsPage());
  files.set('deploy/grafana/dashboards/fleet.json', renderFleetDashboard());
  files.set('docs/reference/actions.md', actionsPage());
  files.set('docs/reference/configuration.md', configurationPage());
  files.set('docs/reference/metrics.md', await metricsPage());
  files.set('docs/reference/policy.md', policyPage());
  files.set('docs/reference/openapi.json', toJson(await openApiDocument()));
  files.set('topics.md', fillTopicsPage(read('topics.md')));
  return files;
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
