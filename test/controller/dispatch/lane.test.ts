import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLane, MAX_UNACKED } from '../../../controller/dispatch/lane.js';

const middle = (): number => 0.5;

test('a node is offered as much as it has not acked yet, up to ten', () => {
  const lane = createLane(middle);
  assert.equal(lane.room(0, 0), MAX_UNACKED);
  assert.equal(lane.room(7, 0), MAX_UNACKED - 7);
  assert.equal(lane.room(40, 0), 0);
});

test('a full node is left alone for a second, then for two, and gets one offer each time', () => {
  const lane = createLane(middle);

  lane.refused(0);
  assert.equal(lane.room(0, 999), 0);
  assert.equal(lane.room(0, 1_000), 1);
  lane.offered(1_000);
  lane.refused(1_000);

  assert.equal(lane.room(0, 2_999), 0);
  assert.equal(lane.room(0, 3_000), 1);
});

test('the back-off of a full node ends at 30 seconds', () => {
  const lane = createLane(middle);
  for (let count = 0; count < 20; count += 1) lane.refused(0);
  assert.equal(lane.room(0, 30_000), 1);
});

test('each result of a full node makes room for one offer at once', () => {
  const lane = createLane(middle);
  lane.refused(0);

  lane.freed();
  lane.freed();
  assert.equal(lane.room(0, 1), 2);
  lane.offered(1);
  lane.offered(1);

  assert.equal(lane.room(0, 2), 0);
});

test('after sixteen acceptances in a row the whole window is tried again', () => {
  const lane = createLane(middle);
  lane.refused(0);
  for (let count = 0; count < 16; count += 1) {
    assert.ok(lane.room(0, 0) <= 1);
    lane.freed();
    lane.offered(0);
    lane.accepted();
  }
  assert.equal(lane.room(0, 0), MAX_UNACKED);
});
