from support import Test, document, eventually, everything, fresh, ids, lists, new_list, new_profile, references


class Lists(Test):
    def test_a_list_is_created_renamed_read_and_deleted(self):
        name = fresh("Newsletter")
        created = lists.create_list(document("list", {"name": name})).data
        self.assertEqual((created.attributes.name, created.attributes.opt_in_process), (name, "double_opt_in"))
        renamed = lists.update_list(created.id, document("list", {"name": f"{name} 2"}, id=created.id)).data
        self.assertEqual(renamed.attributes.name, f"{name} 2")
        self.assertEqual(ids(lists.get_lists(filter=f'equals(name,"{name} 2")')), [created.id])
        self.assertEqual(ids(lists.get_lists(filter=f'any(id,["{created.id}"])')), [created.id])
        self.assertIsNone(lists.delete_list(created.id))
        self.refused(404, lists.get_list, created.id)

    def test_members_come_and_go(self):
        list, people = new_list(), [new_profile() for _ in range(3)]
        self.assertIsNone(lists.add_profiles_to_list(list, references("profile", people)))
        self.eventually_equal(lambda: sorted(ids(lists.get_profile_ids_for_list(list))), sorted(people))
        self.assertIsNone(lists.remove_profiles_from_list(list, references("profile", people[:1])))
        self.eventually_equal(lambda: sorted(ids(lists.get_profiles_for_list(list))), sorted(people[1:]))
        for member in lists.get_profiles_for_list(list, sort="-joined_group_at").data:
            self.assertIsNotNone(member.attributes.joined_group_at)
        counted = lists.get_list(list, additional_fields_list=["profile_count"]).data
        self.assertEqual(counted.attributes.profile_count, 2)
        email = lists.get_profiles_for_list(list).data[0].attributes.email
        self.assertEqual(len(lists.get_profiles_for_list(list, filter=f'equals(email,"{email}")').data), 1)

    def test_nobody_is_added_if_one_of_them_is_unknown(self):
        list, one = new_list(), new_profile()
        self.refused(404, lists.add_profiles_to_list, list, references("profile", [one, "01NOBODY"]))
        self.assertEqual(ids(lists.get_profile_ids_for_list(list)), [])

    def test_lists_come_in_pages_of_ten(self):
        made = {new_list("paged") for _ in range(12)}
        first = lists.get_lists(sort="-created")
        self.assertEqual(len(first.data), 10)
        self.assertLessEqual(made, {each.id for each in everything(lists.get_lists, sort="-created")})
        eventually(lambda: lists.get_lists(sort="name").data, "sorted by name")
