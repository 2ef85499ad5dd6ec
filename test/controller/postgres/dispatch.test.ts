import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('dispatch', { without: /lane|clock-watch|open-executions/ });
