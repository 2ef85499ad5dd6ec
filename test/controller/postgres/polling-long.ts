import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('polling', { without: /rate-limit/ });
