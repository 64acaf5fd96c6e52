'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { address, eventually, fresh, ids, lists, newProfile, privacy, profiles, refused, events, event } = require('./support.cjs');

async function marketing(email) {
  const { body } = await profiles.getProfiles({ filter: `equals(email,"${email}")`, additionalFieldsProfile: ['subscriptions'] });
  return body.data[0]?.attributes.subscriptions.email.marketing;
}

const becomes = (email, consent, canReceive) => eventually(`${consent}, ${canReceive}`, async () => {
  const now = await marketing(email);
  return now?.consent === consent && now.canReceiveEmailMarketing === canReceive;
});

test('a subscription and its end', async () => {
  const email = address();
  const list = await lists.createList({ data: { type: 'list', attributes: { name: fresh('Single'), optInProcess: 'single_opt_in' } } });
  const { id } = list.body.data;
  const subscribed = await profiles.bulkSubscribeProfiles({
    data: {
      type: 'profile-subscription-bulk-create-job',
      attributes: {
        customSource: 'Footer',
        profiles: {
          data: [{ type: 'profile', attributes: { email, subscriptions: { email: { marketing: { consent: 'SUBSCRIBED' } } } } }],
        },
      },
      relationships: { list: { data: { type: 'list', id } } },
    },
  });
  assert.equal(subscribed.response.status, 202);
  await becomes(email, 'SUBSCRIBED', true);
  await eventually('the member', async () => ids(await lists.getProfilesForList(id)).length === 1);
  const unsubscribed = await profiles.bulkUnsubscribeProfiles({
    data: {
      type: 'profile-subscription-bulk-delete-job',
      attributes: {
        profiles: {
          data: [{ type: 'profile', attributes: { email, subscriptions: { email: { marketing: { consent: 'UNSUBSCRIBED' } } } } }],
        },
      },
    },
  });
  assert.equal(unsubscribed.response.status, 202);
  await becomes(email, 'UNSUBSCRIBED', false);
});

test('a suppression and its end', async () => {
  const { attributes: { email } } = await newProfile();
  const data = [{ type: 'profile', attributes: { email } }];
  const suppressed = await profiles.bulkSuppressProfiles({
    data: { type: 'profile-suppression-bulk-create-job', attributes: { profiles: { data } } },
  });
  assert.equal(suppressed.response.status, 202);
  await becomes(email, 'NEVER_SUBSCRIBED', false);
  await eventually('the job', async () => {
    const { body } = await profiles.getBulkSuppressProfilesJob(suppressed.body.data.id);
    return body.data.attributes.status === 'complete';
  });
  await profiles.bulkUnsuppressProfiles({
    data: { type: 'profile-suppression-bulk-delete-job', attributes: { profiles: { data } } },
  });
  await becomes(email, 'NEVER_SUBSCRIBED', true);
});

test('two profiles become one', async () => {
  const [source, destination] = [await newProfile({ title: 'Dr' }), await newProfile({ firstName: 'Ada' })];
  await events.createEvent(event(fresh('Came'), source.attributes.email));
  await eventually('the event', async () => ids(await events.getEvents({ filter: `equals(profile_id,"${source.id}")` })).length === 1);
  const merged = await profiles.mergeProfiles({
    data: {
      type: 'profile-merge', id: destination.id, relationships: { profiles: { data: [{ type: 'profile', id: source.id }] } },
    },
  });
  assert.deepEqual([merged.response.status, merged.body.data.id], [201, destination.id]);
  await eventually('its event', async () => ids(await events.getEvents({ filter: `equals(profile_id,"${destination.id}")` })).length === 1);
  const { attributes } = (await profiles.getProfile(destination.id)).body.data;
  assert.deepEqual([attributes.firstName, attributes.title], ['Ada', 'Dr']);
});

test('a person who asks is forgotten', async () => {
  const { id, attributes: { email } } = await newProfile();
  const { response } = await privacy.requestProfileDeletion({
    data: {
      type: 'data-privacy-deletion-job', attributes: { profile: { data: { type: 'profile', attributes: { email } } } },
    },
  });
  assert.equal(response.status, 202);
  await eventually('nobody', async () => ids(await profiles.getProfiles({ filter: `equals(email,"${email}")` })).length === 0);
  await refused(404, () => profiles.getProfile(id));
});
