import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('identity');
