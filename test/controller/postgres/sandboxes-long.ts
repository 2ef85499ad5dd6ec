import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('sandboxes');
