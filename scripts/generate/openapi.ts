import { createApp } from '../../controller/http/app.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import { createScriptedServices } from '../../test/support/scripted-services.js';

/** The OpenAPI 3.1 document that a running controller serves at /openapi.json. */
export async function openApiDocument(): Promise<object> {
  const { app } = await createApp({
    services: createScriptedServices().services,
    stopping: new AbortController().signal,
    log: createLogger('generate', { level: 'silent' }),
    clock: SYSTEM_CLOCK,
  });
  try {
    return app.swagger();
  } finally {
    await app.close();
  }
}
