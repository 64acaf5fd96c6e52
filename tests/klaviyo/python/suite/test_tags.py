from support import (
    Test, document, everything, fresh, has_property, ids, lists, new_list, new_segment, references, segments, tags,
)


def new_tag(**relationships):
    return tags.create_tag(document("tag", {"name": fresh("Tag")}, **relationships)).data.id


class Tags(Test):
    def test_a_tag_is_in_the_default_group_is_renamed_found_and_deleted(self):
        name = fresh("Summer")
        created = tags.create_tag(document("tag", {"name": name})).data
        group = tags.get_tag_group_for_tag(created.id).data
        self.assertTrue(group.attributes.default)
        self.assertEqual(tags.get_tag_group_id_for_tag(created.id).data.id, group.id)
        self.assertIsNone(tags.update_tag(created.id, document("tag", {"name": f"{name} 2"}, id=created.id)))
        self.assertEqual(tags.get_tag(created.id).data.attributes.name, f"{name} 2")
        for filter in (f'equals(name,"{name} 2")', f'starts-with(name,"{name}")', f'contains(name,"{name[3:]}")', f'ends-with(name,"{name[-6:]} 2")'):
            self.assertEqual(ids(tags.get_tags(filter=filter)), [created.id], filter)
        self.assertIsNone(tags.delete_tag(created.id))
        self.refused(404, tags.get_tag, created.id)

    def test_a_group_is_created_renamed_and_deleted_with_its_tags(self):
        name = fresh("Season")
        group = tags.create_tag_group(document("tag-group", {"name": name, "exclusive": True})).data
        self.assertEqual((group.attributes.exclusive, group.attributes.default), (True, False))
        tag = new_tag(relationships={"tag-group": {"data": {"type": "tag-group", "id": group.id}}})
        self.assertEqual(ids(tags.get_tags_for_tag_group(group.id)), [tag])
        self.assertEqual(ids(tags.get_tag_ids_for_tag_group(group.id)), [tag])
        self.assertIsNone(tags.update_tag_group(group.id, document("tag-group", {"name": f"{name} 2"}, id=group.id)))
        self.assertEqual(tags.get_tag_group(group.id).data.attributes.name, f"{name} 2")
        self.assertIn(group.id, {each.id for each in everything(tags.get_tag_groups, filter="equals(exclusive,true)")})
        tags.delete_tag_group(group.id)
        self.refused(404, tags.get_tag_group, group.id)
        self.refused(404, tags.get_tag, tag)

    def test_lists_and_segments_are_tagged(self):
        tag, list, segment = new_tag(), new_list(), new_segment(has_property("never", fresh("never")))
        self.assertIsNone(tags.tag_lists(tag, references("list", [list])))
        self.assertIsNone(tags.tag_segments(tag, references("segment", [segment])))
        self.assertEqual(ids(tags.get_list_ids_for_tag(tag)), [list])
        self.assertEqual(ids(tags.get_segment_ids_for_tag(tag)), [segment])
        self.assertEqual(ids(lists.get_tags_for_list(list)), [tag])
        self.assertEqual(ids(segments.get_tag_ids_for_segment(segment)), [tag])
        included = lists.get_list(list, include=["tags"]).included
        self.assertEqual([(getattr(each, "id", None) or each["id"]) for each in included], [tag])
        self.assertIsNone(tags.remove_tag_from_lists(tag, references("list", [list])))
        self.assertIsNone(tags.remove_tag_from_segments(tag, references("segment", [segment])))
        self.assertEqual(ids(lists.get_tag_ids_for_list(list)), [])
        self.assertEqual(ids(segments.get_tags_for_segment(segment)), [])
