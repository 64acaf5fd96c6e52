'use strict';

// A stack that admits what Klaviyo admits: the SDK waits as long as it is told and comes through.

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const { test } = require('node:test');
const { ApiKeySession, RetryWithExponentialBackoff, SegmentsApi } = require('klaviyo-api');

// Of an operation that is admitted once a second.
const AT_ONCE = 5;

function atOnce(numRetries) {
  const api = new SegmentsApi(
    new ApiKeySession(process.env.TILLSTREAM_API_KEY, new RetryWithExponentialBackoff({ numRetries, maxInterval: 5 })),
  );
  api.basePath = process.env.TILLSTREAM_URL;
  const create = () => {
    const filter = { type: 'string', operator: 'equals', value: randomUUID() };
    const conditions = [{ type: 'profile-property', property: "properties['never']", filter }];
    const attributes = { name: randomUUID(), definition: { conditionGroups: [{ conditions }] } };
    return api.createSegment({ data: { type: 'segment', attributes } });
  };
  return Promise.allSettled(Array.from({ length: AT_ONCE }, create));
}

test('who does not wait is told how long to', async () => {
  const refused = (await atOnce(1)).filter((answer) => answer.status === 'rejected');
  assert.ok(refused.length > 0);
  for (const { reason } of refused) {
    assert.equal(reason.response.status, 429);
    assert.ok(Number.parseInt(reason.response.headers['retry-after'], 10) >= 1);
  }
});

test('who waits comes through', async () => {
  const made = await atOnce(20);
  assert.equal(new Set(made.map((answer) => answer.value?.body.data.id)).size, AT_ONCE);
});
