import { after } from 'node:test';
import { testEngineContract } from '../../../support/engines/contract.js';
import { startStandInEngine } from '../../../support/engines/stand-in.js';

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.reverse()) await close();
});

testEngineContract({
  name: 'stand-in',
  start: () => startStandInEngine({ after: (close) => closers.push(close) }),
});
