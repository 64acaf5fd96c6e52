'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { catalogs, eventually, fresh, ids, references, refused } = require('./support.cjs');

const compound = (externalId) => `$custom:::$default:::${externalId}`;

function item(externalId) {
  const attributes = {
    externalId, title: 'Mug', description: 'A mug.', url: 'https://example.com/mug', price: 12.5, customMetadata: { snake_case: 'green' },
  };
  return { type: 'catalog-item', attributes };
}

test('an item, its variant and its category', async () => {
  const externalId = fresh('item');
  const created = await catalogs.createCatalogItem({ data: item(externalId) });
  assert.equal(created.response.status, 201);
  const { id } = created.body.data;
  assert.equal(id, compound(externalId));
  await refused(409, () => catalogs.createCatalogItem({ data: item(externalId) }));
  const read = await catalogs.getCatalogItem(id);
  assert.deepEqual([read.body.data.attributes.title, read.body.data.attributes.price], ['Mug', 12.5]);
  assert.deepEqual(read.body.data.attributes.customMetadata, { snake_case: 'green' });
  const changed = await catalogs.updateCatalogItem(id, { data: { type: 'catalog-item', id, attributes: { title: 'Cup' } } });
  assert.equal(changed.body.data.attributes.title, 'Cup');

  const category = await catalogs.createCatalogCategory({
    data: { type: 'catalog-category', attributes: { externalId: fresh('category'), name: 'Mugs' } },
  });
  const categories = references('catalog-category', [category.body.data.id]);
  assert.equal((await catalogs.addCategoriesToCatalogItem(id, categories)).response.status, 204);
  assert.deepEqual(ids(await catalogs.getItemsForCatalogCategory(category.body.data.id)), [id]);
  assert.equal((await catalogs.removeCategoriesFromCatalogItem(id, categories)).response.status, 204);
  assert.deepEqual(ids(await catalogs.getCategoryIdsForCatalogItem(id)), []);

  const sku = fresh('variant');
  const variant = await catalogs.createCatalogVariant({
    data: {
      type: 'catalog-variant',
      attributes: {
        externalId: sku, sku, title: 'Large', description: 'A large mug.', url: 'https://example.com/mug', inventoryQuantity: 3,
        inventoryPolicy: 1, price: 15,
      },
      relationships: { item: { data: { type: 'catalog-item', id } } },
    },
  });
  assert.equal(variant.response.status, 201);
  assert.deepEqual(ids(await catalogs.getVariantsForCatalogItem(id)), [variant.body.data.id]);
  assert.deepEqual(ids(await catalogs.getCatalogVariants({ filter: `equals(sku,"${sku}")` })), [variant.body.data.id]);
  assert.equal((await catalogs.deleteCatalogItem(id)).response.status, 204);
  await refused(404, () => catalogs.getCatalogItem(id));
});

test('items in bulk', async () => {
  const names = [fresh('bulk'), fresh('bulk')];
  const created = await catalogs.bulkCreateCatalogItems({
    data: { type: 'catalog-item-bulk-create-job', attributes: { items: { data: names.map(item) } } },
  });
  assert.equal(created.response.status, 202);
  const job = await eventually('the creation', async () => {
    const { body } = await catalogs.getBulkCreateCatalogItemsJob(created.body.data.id);
    return body.data.attributes.status === 'complete' ? body.data : undefined;
  });
  assert.equal(job.attributes.completedCount, 2);
  const filter = `any(ids,["${compound(names[0])}","${compound(names[1])}"])`;
  assert.equal(ids(await catalogs.getCatalogItems({ filter })).length, 2);
});
