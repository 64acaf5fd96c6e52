from support import Test, address, document, event, events, eventually, fresh, ids, lists, new_list, new_profile, privacy, profiles, references


class Identity(Test):
    def test_two_profiles_become_one(self):
        list, metric, source_email = new_list(), fresh("Came"), address()
        source = new_profile(email=source_email, first_name="Ida", title="Dr", properties={"a": 1, "b": 1})
        destination = new_profile(first_name="Ada", properties={"b": 2})
        lists.add_profiles_to_list(list, references("profile", [source]))
        events.create_event(event(metric, source_email))
        eventually(lambda: events.get_events(filter=f'equals(profile_id,"{source}")').data, "the event")
        body = {"data": {"type": "profile-merge", "id": destination, "relationships": {"profiles": references("profile", [source])}}}
        self.assertEqual(profiles.merge_profiles(body).data.id, destination)
        eventually(lambda: events.get_events(filter=f'equals(profile_id,"{destination}")').data, "the event of the other")
        merged = profiles.get_profile(destination).data.attributes
        self.assertEqual((merged.first_name, merged.title, merged.properties), ("Ada", "Dr", {"a": 1, "b": 2}))
        self.eventually_equal(lambda: ids(lists.get_profile_ids_for_list(list)), [destination])
        self.assertEqual(ids(profiles.get_profiles(filter=f'equals(id,"{source}")')), [])

    def test_a_person_who_asks_is_forgotten(self):
        email, metric = address(), fresh("Came")
        id = new_profile(email=email)
        events.create_event(event(metric, email))
        eventually(lambda: events.get_events(filter=f'equals(profile_id,"{id}")').data, "the event")
        profile = {"data": {"type": "profile", "attributes": {"email": email}}}
        self.assertIsNone(privacy.request_profile_deletion(document("data-privacy-deletion-job", {"profile": profile})))
        self.eventually_equal(lambda: ids(profiles.get_profiles(filter=f'equals(email,"{email}")')), [])
        self.refused(404, profiles.get_profile, id)
