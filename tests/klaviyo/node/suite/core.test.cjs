'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { FilterBuilder } = require('klaviyo-api');
const {
  address, event, eventually, everything, events, fresh, ids, lists, metricId, newProfile, profiles, references, refused, segments, sorted, told,
} = require('./support.cjs');

test('an event makes its profile and metric, once', async () => {
  const [email, metric] = [address(), fresh('Signed Guestbook')];
  const attributes = {
    time: new Date('2026-01-02T03:04:05Z'), value: 12.5, valueCurrency: 'EUR', uniqueId: 'one',
    properties: { favouriteColour: 'green', snake_case: [1, { inner_key: true }] },
  };
  for (const uniqueId of ['one', 'one', 'two']) {
    const { response } = await events.createEvent(event(metric, email, { ...attributes, uniqueId }));
    assert.equal(response.status, 202);
  }
  await eventually('both events', async () => (await told(email)).length === 2);
  const [found] = await told(email);
  assert.equal(found.attributes.datetime.toISOString(), '2026-01-02T03:04:05.000Z');
  assert.equal(found.attributes.eventProperties.favouriteColour, 'green');
  assert.deepEqual(found.attributes.eventProperties.snake_case, [1, { inner_key: true }]);
  assert.equal(found.attributes.eventProperties.$value, 12.5);
  const single = await events.getEvent(found.id, { include: ['metric', 'profile'] });
  assert.equal(single.body.data.id, found.id);
  assert.deepEqual(sorted(single.body.included.map((item) => item.type)), ['metric', 'profile']);
  assert.equal((await events.getMetricForEvent(found.id)).body.data.attributes.name, metric);
  assert.equal((await events.getProfileIdForEvent(found.id)).body.data.id, found.relationships.profile.data.id);
});

test('events of a bulk job arrive', async () => {
  const [email, metric] = [address(), fresh('Imported')];
  const bulk = [1, 2, 3].map((place) => ({
    type: 'event',
    attributes: {
      properties: { place }, uniqueId: `${place}`, time: new Date(`2026-03-0${place}T10:00:00Z`),
      metric: { data: { type: 'metric', attributes: { name: metric } } },
    },
  }));
  const person = { data: { type: 'profile', attributes: { email, firstName: 'Bulk' } } };
  const { response } = await events.bulkCreateEvents({
    data: {
      type: 'event-bulk-create-job',
      attributes: {
        eventsBulkCreate: { data: [{ type: 'event-bulk-create', attributes: { profile: person, events: { data: bulk } } }] },
      },
    },
  });
  assert.equal(response.status, 202);
  await eventually('all three', async () => (await told(email)).length === 3);
  assert.deepEqual((await told(email)).map((found) => found.attributes.eventProperties.place), [1, 2, 3]);
});

test('filters of the builder, with dates and lists', async () => {
  const [one, other] = [await newProfile(), await newProfile()];
  const both = () => new FilterBuilder().any('id', [one.id, other.id]);
  const [past, future] = [new Date(Date.now() - 86_400_000), new Date(Date.now() + 86_400_000)];
  for (const [filter, found] of [
    [both(), [one.id, other.id]],
    [both().greaterThan('created', past), [one.id, other.id]],
    [both().lessThan('updated', future), [one.id, other.id]],
    [both().greaterThan('updated', future), []],
    [new FilterBuilder().equals('email', one.attributes.email), [one.id]],
  ]) {
    assert.deepEqual(sorted(ids(await profiles.getProfiles({ filter: filter.build() }))), sorted(found), filter.build());
  }
  const error = await refused(400, () => profiles.getProfiles({ filter: new FilterBuilder().contains('email', 'a').build() }));
  assert.equal(error.source.parameter, 'filter');
});

test('a profile is created, refused twice, upserted, patched and cleared', async () => {
  const attributes = {
    externalId: fresh('customer'), firstName: 'Ida', lastName: 'Example', locale: 'en-GB',
    location: { address1: '1 Example Street', city: 'Oslo', zip: '0150' }, properties: { vip: true, camelCase: 1, snake_case: 2 },
  };
  const created = await newProfile(attributes);
  assert.equal(created.attributes.location.city, 'Oslo');
  assert.deepEqual(created.attributes.properties, attributes.properties);
  const again = { data: { type: 'profile', attributes: { email: created.attributes.email } } };
  const error = await refused(409, () => profiles.createProfile(again));
  assert.equal(error.meta.duplicate_profile_id, created.id);

  const upserted = await profiles.createOrUpdateProfile({
    data: { type: 'profile', attributes: { email: created.attributes.email, title: 'Dr' } },
  });
  assert.equal(upserted.response.status, 200);
  assert.equal(upserted.body.data.attributes.firstName, 'Ida');
  const newcomer = await profiles.createOrUpdateProfile({ data: { type: 'profile', attributes: { email: address() } } });
  assert.equal(newcomer.response.status, 201);

  const patched = await profiles.updateProfile(created.id, {
    data: {
      type: 'profile', id: created.id, attributes: { firstName: null },
      meta: { patchProperties: { append: { tags: 'a' } } },
    },
  });
  assert.equal(patched.body.data.attributes.firstName ?? null, null);
  assert.equal(patched.body.data.attributes.lastName, 'Example');
  assert.deepEqual(patched.body.data.attributes.properties, { vip: true, camelCase: 1, snake_case: 2, tags: ['a'] });
  const read = await profiles.getProfile(created.id, { additionalFieldsProfile: ['subscriptions'] });
  assert.equal(read.body.data.attributes.subscriptions.email.marketing.canReceiveEmailMarketing, true);
  await refused(404, () => profiles.getProfile('01NOBODY'));
});

test('a bulk import, its profiles in pages and its errors', async () => {
  const people = Array.from({ length: 25 }, address);
  const rows = [...people, 'nobody'].map((email) => ({ type: 'profile', attributes: { email, firstName: 'Bulk' } }));
  const created = await profiles.bulkImportProfiles({
    data: { type: 'profile-bulk-import-job', attributes: { profiles: { data: rows } } },
  });
  assert.equal(created.response.status, 202);
  const { id } = created.body.data;
  const job = await eventually('the import', async () => {
    const { body } = await profiles.getBulkImportProfilesJob(id);
    return body.data.attributes.status === 'complete' ? body.data : undefined;
  });
  assert.deepEqual([job.attributes.totalCount, job.attributes.failedCount], [26, 1]);
  const imported = await everything((page) => profiles.getProfilesForBulkImportProfilesJob(id, { pageSize: 10, ...page }));
  assert.deepEqual(sorted(imported.map((person) => person.attributes.email)), sorted(people));
  const { body } = await profiles.getErrorsForBulkImportProfilesJob(id);
  assert.equal(body.data.length, 1);
  assert.match(body.data[0].attributes.source.pointer, /\/25/);
});

test('a list, its members and its pages', async () => {
  const created = await lists.createList({ data: { type: 'list', attributes: { name: fresh('Newsletter') } } });
  assert.equal(created.body.data.attributes.optInProcess, 'double_opt_in');
  const { id } = created.body.data;
  const people = [];
  for (let place = 0; place < 5; place += 1) people.push((await newProfile()).id);
  const members = (wanted) => references('profile', wanted);
  assert.equal((await lists.addProfilesToList(id, members(people))).response.status, 204);
  const paged = () => everything((page) => lists.getProfilesForList(id, { pageSize: 2, ...page }));
  assert.deepEqual(sorted((await paged()).map((person) => person.id)), sorted(people));
  assert.ok((await paged())[0].attributes.joinedGroupAt instanceof Date);
  assert.equal((await lists.removeProfilesFromList(id, members(people.slice(0, 2)))).response.status, 204);
  assert.deepEqual(sorted(ids(await lists.getProfileIdsForList(id))), sorted(people.slice(2)));
  const counted = await lists.getList(id, { additionalFieldsList: ['profile_count'] });
  assert.equal(counted.body.data.attributes.profileCount, 3);
  const renamed = await lists.updateList(id, { data: { type: 'list', id, attributes: { name: fresh('Renamed') } } });
  assert.deepEqual(ids(await lists.getLists({ filter: `equals(name,"${renamed.body.data.attributes.name}")` })), [id]);
  assert.deepEqual(ids(await profiles.getListsForProfile(people[4])), [id]);
  assert.equal((await lists.deleteList(id)).response.status, 204);
  await refused(404, () => lists.getList(id));
});

test('who does it often enough becomes a member of a segment', async () => {
  const [email, metric] = [address(), fresh('Redeemed Reward')];
  await events.createEvent(event(metric, email, { uniqueId: '1' }));
  const definition = {
    conditionGroups: [{
      conditions: [{
        type: 'profile-metric', metricId: await metricId(metric), measurement: 'count',
        measurementFilter: { type: 'numeric', operator: 'greater-than', value: 2 },
        timeframeFilter: { type: 'date', operator: 'in-the-last', unit: 'day', quantity: 30 },
      }],
    }],
  };
  const created = await segments.createSegment({ data: { type: 'segment', attributes: { name: fresh('Often'), definition } } });
  assert.equal(created.response.status, 201);
  const { id } = created.body.data;
  // The conditions of an answer stay in snake case.
  const wire = JSON.stringify(definition).replace(/"(\w+)":/g, (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  assert.deepEqual(created.response.data.data.attributes.definition, JSON.parse(wire));
  for (const uniqueId of ['2', '2', '3']) await events.createEvent(event(metric, email, { uniqueId }));
  const member = await eventually('the member', async () => (await segments.getProfilesForSegment(id)).body.data[0]);
  assert.equal(member.attributes.email, email);
  assert.ok(member.attributes.joinedGroupAt instanceof Date);
  assert.deepEqual(ids(await segments.getProfileIdsForSegment(id)), [member.id]);
  assert.deepEqual(ids(await profiles.getSegmentsForProfile(member.id)), [id]);
  const counted = await segments.getSegment(id, { additionalFieldsSegment: ['profile_count'] });
  assert.equal(counted.body.data.attributes.profileCount, 1);
  const starred = await segments.updateSegment(id, { data: { type: 'segment', id, attributes: { isStarred: true } } });
  assert.equal(starred.body.data.attributes.isStarred, true);
  assert.equal((await segments.deleteSegment(id)).response.status, 204);
});

test('a segment that cannot be is refused with its place', async () => {
  const conditions = [{ type: 'profile-property', property: 'email', filter: { type: 'numeric', operator: 'equals', value: 'x' } }];
  const attributes = { name: fresh('Bad'), definition: { conditionGroups: [{ conditions }] } };
  const error = await refused(400, () => segments.createSegment({ data: { type: 'segment', attributes } }));
  assert.match(error.source.pointer, /^\/data\/attributes\/definition\/condition_groups\/0\/conditions\/0/);
});
