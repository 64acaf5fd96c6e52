from support import Test, catalogs, document, eventually, everything, fresh, ids, references


def compound(external_id):
    return f"$custom:::$default:::{external_id}"


def item(external_id, **members):
    attributes = {
        "external_id": external_id, "title": "Mug", "description": "A mug.", "url": "https://example.com/mug", "price": 12.5,
        "custom_metadata": {"colour": "green"}, "images": ["https://example.com/mug.png"],
    }
    return document("catalog-item", attributes, **members)


def new_item():
    return catalogs.create_catalog_item(item(fresh("item"))).data.id


def new_category():
    return catalogs.create_catalog_category(document("catalog-category", {"external_id": fresh("category"), "name": "Mugs"})).data.id


def variant(external_id, item):
    attributes = {
        "external_id": external_id, "title": "Large mug", "description": "A large mug.", "sku": external_id, "price": 15,
        "inventory_quantity": 3, "inventory_policy": 1, "url": "https://example.com/mug?size=l",
    }
    return document("catalog-variant", attributes, relationships={"item": {"data": {"type": "catalog-item", "id": item}}})


class Catalogs(Test):
    def test_an_item_is_created_read_changed_and_deleted_by_its_compound_id(self):
        external_id = fresh("item")
        created = catalogs.create_catalog_item(item(external_id)).data
        self.assertEqual(created.id, compound(external_id))
        read = catalogs.get_catalog_item(created.id).data.attributes
        self.assertEqual((read.external_id, read.title, read.price, read.published), (external_id, "Mug", 12.5, True))
        self.assertEqual(read.custom_metadata, {"colour": "green"})
        self.refused(409, catalogs.create_catalog_item, item(external_id))
        changed = catalogs.update_catalog_item(created.id, document("catalog-item", {"title": "Cup", "price": None}, id=created.id)).data
        self.assertEqual((changed.attributes.title, changed.attributes.price), ("Cup", None))
        self.assertIsNone(catalogs.delete_catalog_item(created.id))
        self.refused(404, catalogs.get_catalog_item, created.id)

    def test_items_are_filtered_and_sorted(self):
        title, made = fresh("Teapot"), []
        for place in range(3):
            external_id = fresh("item")
            body = item(external_id)
            body["data"]["attributes"].update(title=f"{title} {place}", published=place != 1)
            made.append(catalogs.create_catalog_item(body).data.id)
        both = ",".join(f'"{id}"' for id in made)
        self.assertEqual(ids(catalogs.get_catalog_items(filter=f"any(ids,[{both}])", sort="created")), made)
        self.assertEqual(ids(catalogs.get_catalog_items(filter=f"any(ids,[{both}])", sort="-created")), made[::-1])
        self.assertEqual(ids(catalogs.get_catalog_items(filter=f'contains(title,"{title} 2")')), made[2:])
        self.assertEqual(ids(catalogs.get_catalog_items(filter=f"any(ids,[{both}]),equals(published,false)")), made[1:2])

    def test_an_item_is_put_into_categories(self):
        one, first, second = new_item(), new_category(), new_category()
        self.assertIsNone(catalogs.add_categories_to_catalog_item(one, references("catalog-category", [first])))
        self.assertEqual(ids(catalogs.get_categories_for_catalog_item(one)), [first])
        self.assertEqual(ids(catalogs.get_items_for_catalog_category(first)), [one])
        self.assertIsNone(catalogs.update_categories_for_catalog_item(one, references("catalog-category", [second])))
        self.assertEqual(ids(catalogs.get_category_ids_for_catalog_item(one)), [second])
        self.assertEqual(ids(catalogs.get_item_ids_for_catalog_category(first)), [])
        self.assertIsNone(catalogs.remove_items_from_catalog_category(second, references("catalog-item", [one])))
        self.assertEqual(ids(catalogs.get_categories_for_catalog_item(one)), [])
        renamed = catalogs.update_catalog_category(first, document("catalog-category", {"name": "Cups"}, id=first)).data
        self.assertEqual(renamed.attributes.name, "Cups")
        catalogs.delete_catalog_category(first)
        self.refused(404, catalogs.get_catalog_category, first)

    def test_a_variant_belongs_to_its_item(self):
        one, external_id = new_item(), fresh("variant")
        created = catalogs.create_catalog_variant(variant(external_id, one)).data
        self.assertEqual(created.id, compound(external_id))
        self.assertEqual(ids(catalogs.get_variants_for_catalog_item(one)), [created.id])
        self.assertEqual(ids(catalogs.get_variant_ids_for_catalog_item(one)), [created.id])
        self.assertEqual(ids(catalogs.get_catalog_variants(filter=f'equals(sku,"{external_id}")')), [created.id])
        changed = catalogs.update_catalog_variant(created.id, document("catalog-variant", {"inventory_quantity": 0}, id=created.id)).data
        self.assertEqual(changed.attributes.inventory_quantity, 0)
        included = catalogs.get_catalog_item(one, include=["variants"]).included
        self.assertEqual([(getattr(each, "id", None) or each["id"]) for each in included], [created.id])
        catalogs.delete_catalog_variant(created.id)
        self.assertEqual(ids(catalogs.get_variants_for_catalog_item(one)), [])

    def test_items_come_and_go_in_bulk(self):
        names = [fresh("bulk") for _ in range(5)]
        rows = [item(name)["data"] for name in names]
        job = catalogs.bulk_create_catalog_items(document("catalog-item-bulk-create-job", {"items": {"data": rows}})).data
        eventually(lambda: catalogs.get_bulk_create_catalog_items_job(job.id).data.attributes.status == "complete", "the creation")
        attributes = catalogs.get_bulk_create_catalog_items_job(job.id).data.attributes
        self.assertEqual((attributes.total_count, attributes.completed_count, attributes.failed_count), (5, 5, 0))
        wanted = ",".join(f'"{compound(name)}"' for name in names)
        found = everything(catalogs.get_catalog_items, filter=f"any(ids,[{wanted}])")
        self.assertEqual({each.attributes.external_id for each in found}, set(names))
        rows = [{"type": "catalog-item", "id": compound(name), "attributes": {"title": "Cup"}} for name in names]
        job = catalogs.bulk_update_catalog_items(document("catalog-item-bulk-update-job", {"items": {"data": rows}})).data
        eventually(lambda: catalogs.get_bulk_update_catalog_items_job(job.id).data.attributes.status == "complete", "the change")
        self.assertEqual(catalogs.get_catalog_item(compound(names[4])).data.attributes.title, "Cup")
        rows = [{"type": "catalog-item", "id": compound(name)} for name in names]
        job = catalogs.bulk_delete_catalog_items(document("catalog-item-bulk-delete-job", {"items": {"data": rows}})).data
        eventually(lambda: catalogs.get_bulk_delete_catalog_items_job(job.id).data.attributes.status == "complete", "the deletion")
        self.assertEqual(everything(catalogs.get_catalog_items, filter=f"any(ids,[{wanted}])"), [])
