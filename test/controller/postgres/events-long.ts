import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('events', { without: /several/ });
