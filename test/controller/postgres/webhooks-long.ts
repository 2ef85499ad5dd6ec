import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('webhooks', { without: /addresses|post|webhooks-file/ });
