import { testOnPostgres } from '../../support/on-postgres.js';

testOnPostgres('audit', { without: /^every-change/ }); // it has SQLite refuse the rows of one table
