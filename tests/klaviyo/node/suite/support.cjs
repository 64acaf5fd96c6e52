'use strict';

// What the tests of the SDK share: its API objects, as its README says they are made; `basePath` of each is another.

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const {
  ApiKeySession, CatalogsApi, DataPrivacyApi, EventsApi, FilterBuilder, ListsApi, MetricsApi, ProfilesApi,
  RetryWithExponentialBackoff, SegmentsApi, TagsApi,
} = require('klaviyo-api');

const session = new ApiKeySession(
  process.env.TILLSTREAM_API_KEY,
  new RetryWithExponentialBackoff({ numRetries: 5, maxInterval: 5 }),
);

function api(Api) {
  const made = new Api(session);
  made.basePath = process.env.TILLSTREAM_URL;
  return made;
}

const [catalogs, events, lists, metrics] = [CatalogsApi, EventsApi, ListsApi, MetricsApi].map(api);
const [privacy, profiles, segments, tags] = [DataPrivacyApi, ProfilesApi, SegmentsApi, TagsApi].map(api);

const fresh = (name) => `${name}-${randomUUID().slice(0, 13)}`;
const address = () => `${fresh('person')}@example.com`;
const ids = (answer) => answer.body.data.map((item) => item.id);
const sorted = (values) => [...values].sort();

async function eventually(what, look) {
  const end = Date.now() + 90_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `it did not come to pass: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

async function refused(status, call) {
  let error;
  try { await call(); } catch (raised) { error = raised; }
  assert.equal(error?.response?.status, status, error?.response ? JSON.stringify(error.response.data) : String(error));
  return error.response.data.errors[0];
}

async function newProfile(attributes = {}) {
  const answer = await profiles.createProfile({ data: { type: 'profile', attributes: { email: address(), ...attributes } } });
  assert.equal(answer.response.status, 201);
  return answer.body.data;
}

function event(metric, email, attributes = {}) {
  return {
    data: {
      type: 'event',
      attributes: {
        properties: {},
        metric: { data: { type: 'metric', attributes: { name: metric } } },
        profile: { data: { type: 'profile', attributes: { email } } },
        ...attributes,
      },
    },
  };
}

async function metricId(name) {
  return eventually(`the metric ${name}`, async () => {
    const { body } = await metrics.getMetrics();
    return body.data.find((metric) => metric.attributes.name === name)?.id;
  });
}

async function told(email, options = {}) {
  const [person] = ids(await profiles.getProfiles({ filter: new FilterBuilder().equals('email', email).build() }));
  if (!person) return [];
  return (await events.getEvents({ filter: `equals(profile_id,"${person}")`, sort: 'datetime', ...options })).body.data;
}

/** The pages of a collection, by the whole address of the next one, as it came. */
async function* pages(get) {
  let pageCursor;
  do {
    const { body } = await get(pageCursor ? { pageCursor } : {});
    yield body.data;
    pageCursor = body.links.next;
  } while (pageCursor);
}

async function everything(get) {
  const found = [];
  for await (const page of pages(get)) found.push(...page);
  return found;
}

const references = (type, wanted) => ({ data: wanted.map((id) => ({ type, id })) });

module.exports = {
  address, catalogs, event, eventually, everything, events, fresh, ids, lists, metricId, metrics, newProfile, privacy, profiles, references,
  refused, segments, sorted, tags, told,
};
