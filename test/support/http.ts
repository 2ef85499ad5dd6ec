import assert from 'node:assert/strict';
import { type Dashboard, NO_DASHBOARD } from '../../controller/http/dashboard.js';
import type { StreamLimits } from '../../controller/http/event-streams.js';
import { Problem } from '../../controller/http/schemas.js';
import { type RunningHttp, startHttp } from '../../controller/http/start-http.js';
import type { Services } from '../../controller/services.js';
import type { ErrorCode } from '../../protocol/errors.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger, type Logger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';

/** Starts the REST API on a free port of 127.0.0.1 and stops it after the test. */
export async function startTestHttp(
  t: TestScope,
  services: Services,
  log: Logger = createLogger('controller', { level: 'silent' }),
  {
    maxConnections = 10_000,
    dashboard = NO_DASHBOARD,
    ...streamLimits
  }: Partial<StreamLimits> & { maxConnections?: number; dashboard?: Dashboard } = {},
): Promise<RunningHttp> {
  const config = { host: '127.0.0.1', port: 0, max_http_connections: maxConnections };
  const http = await startHttp({ services, config, streamLimits, dashboard, log, clock: SYSTEM_CLOCK });
  t.after(http.stop);
  return http;
}

/** Asserts that an answer is a problem of this code, with the status and headers that belong to it; gives it. */
export async function assertProblem(response: Response, status: number, code: ErrorCode): Promise<Problem> {
  const problem = Problem.parse(await response.json());
  assert.deepEqual({ status: response.status, code: problem.code }, { status, code }, problem.detail);
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  assert.equal(problem.status, status);
  assert.equal(problem.request_id, response.headers.get('x-request-id'));
  assert.equal(response.headers.has('www-authenticate'), status === 401);
  return problem;
}
