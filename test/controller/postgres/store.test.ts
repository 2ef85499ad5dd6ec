import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('store', { without: /sqlite|postgres|lease/ });
