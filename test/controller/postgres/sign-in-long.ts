import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('sign-in', { without: /^real-provider/ });
