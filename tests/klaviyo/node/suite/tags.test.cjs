'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { fresh, ids, lists, references, refused, tags } = require('./support.cjs');

test('a tag in a group, on a list', async () => {
  const group = await tags.createTagGroup({ data: { type: 'tag-group', attributes: { name: fresh('Season'), exclusive: false } } });
  assert.equal(group.response.status, 201);
  const name = fresh('Summer');
  const created = await tags.createTag({
    data: {
      type: 'tag', attributes: { name }, relationships: { tagGroup: { data: { type: 'tag-group', id: group.body.data.id } } },
    },
  });
  const { id } = created.body.data;
  assert.equal((await tags.getTagGroupForTag(id)).body.data.id, group.body.data.id);
  assert.deepEqual(ids(await tags.getTags({ filter: `starts-with(name,"${name}")` })), [id]);
  const list = (await lists.createList({ data: { type: 'list', attributes: { name: fresh('Tagged') } } })).body.data.id;
  assert.equal((await tags.tagLists(id, references('list', [list]))).response.status, 204);
  assert.deepEqual(ids(await lists.getTagsForList(list)), [id]);
  assert.deepEqual(ids(await tags.getListIdsForTag(id)), [list]);
  assert.equal((await tags.removeTagFromLists(id, references('list', [list]))).response.status, 204);
  assert.deepEqual(ids(await lists.getTagIdsForList(list)), []);
  assert.equal((await tags.deleteTag(id)).response.status, 204);
  await refused(404, () => tags.getTag(id));
});
