import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('grants');
