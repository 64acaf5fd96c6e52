from datetime import datetime, timezone

from support import (
    Test, address, document, eventually, fresh, lists, new_list, new_profile, profiles, references, telephone,
)


class Profiles(Test):
    def test_a_profile_is_created_with_everything_it_can_have(self):
        email, external_id = address(), fresh("customer")
        attributes = {
            "email": email, "phone_number": telephone(),
            "external_id": external_id, "first_name": "Ida", "last_name": "Example", "organization": "Example Ltd",
            "locale": "en-GB", "title": "Dr", "image": "https://example.com/ida.png",
            "location": {
                "address1": "1 Example Street", "city": "Oslo", "country": "Norway", "region": "Oslo", "zip": "0150",
                "latitude": 59.9139, "longitude": "10.7522", "timezone": "Europe/Oslo",
            },
            "properties": {"vip": True, "points": 12, "tags": ["a", "b"], "nested": {"deep": 1}},
        }
        created = profiles.create_profile(document("profile", attributes)).data
        read = profiles.get_profile(created.id).data
        self.assertEqual(read.attributes.to_dict(), created.attributes.to_dict())
        for name in ("email", "phone_number", "external_id", "first_name", "organization", "locale", "title", "image", "properties"):
            self.assertEqual(getattr(read.attributes, name), attributes[name], name)
        self.assertEqual(read.attributes.location.city, "Oslo")
        self.assertLess(read.attributes.created, datetime.now(timezone.utc).replace(year=2100))
        for filter in (f'equals(external_id,"{external_id}")', f'any(email,["{email}"])', f'equals(id,"{read.id}")'):
            self.assertEqual([each.id for each in profiles.get_profiles(filter=filter).data], [read.id], filter)

    def test_a_profile_that_is_there_is_a_conflict_that_names_it(self):
        email = address()
        id = new_profile(email=email)
        error = self.refused(409, profiles.create_profile, document("profile", {"email": email.upper()}))
        self.assertEqual(error.code, "duplicate_profile")
        self.assertEqual(error.to_dict().get("source", {}).get("pointer"), "/data/attributes")
        self.assertEqual(profiles.get_profiles(filter=f'equals(email,"{email}")').data[0].id, id)

    def test_an_upsert_creates_and_then_updates(self):
        email = address()
        created = profiles.create_or_update_profile_with_http_info(document("profile", {"email": email, "first_name": "Ida"}))
        updated = profiles.create_or_update_profile_with_http_info(document("profile", {"email": email, "title": "Dr"}))
        self.assertEqual((created.status_code, updated.status_code), (201, 200))
        self.assertEqual(created.data.data.id, updated.data.data.id)
        self.assertEqual(updated.data.data.attributes.first_name, "Ida")
        self.assertEqual(updated.data.data.attributes.title, "Dr")

    def test_null_clears_and_absence_leaves(self):
        id = new_profile(first_name="Ida", last_name="Example", title="Dr", properties={"vip": True, "points": 1})
        changed = profiles.update_profile(id, document("profile", {"first_name": None, "title": "Prof"}, id=id)).data
        self.assertEqual(
            (changed.attributes.first_name, changed.attributes.last_name, changed.attributes.title),
            (None, "Example", "Prof"),
        )
        email = changed.attributes.email
        upserted = profiles.create_or_update_profile(document("profile", {"email": email, "last_name": None})).data
        self.assertEqual((upserted.id, upserted.attributes.last_name), (id, None))
        self.assertEqual(upserted.attributes.properties, {"vip": True, "points": 1})

    def test_properties_are_appended_unappended_and_unset(self):
        id = new_profile(properties={"tags": ["a", "b"], "vip": True, "points": 1})
        patch = {"append": {"tags": "c"}, "unset": ["vip", "points"]}
        changed = profiles.update_profile(id, document("profile", {}, id=id, meta={"patch_properties": patch})).data
        self.assertEqual(changed.attributes.properties, {"tags": ["a", "b", "c"]})
        patch = {"unappend": {"tags": "a"}}
        changed = profiles.update_profile(id, document("profile", {}, id=id, meta={"patch_properties": patch})).data
        self.assertEqual(changed.attributes.properties, {"tags": ["b", "c"]})

    def test_a_profile_of_another_address_is_a_conflict(self):
        taken = address()
        new_profile(email=taken)
        id = new_profile()
        self.refused(409, profiles.update_profile, id, document("profile", {"email": taken}, id=id))

    def test_bad_profiles_are_refused_with_their_place(self):
        for attributes, pointer in (
            ({"email": "nobody"}, "/data/attributes/email"),
            ({"email": address(), "phone_number": "12"}, "/data/attributes/phone_number"),
            ({}, "/data/attributes"),
        ):
            error = self.refused(400, profiles.create_profile, document("profile", attributes))
            self.assertEqual(error.source.pointer, pointer)
        self.refused(404, profiles.get_profile, "01NOBODY")

    def test_profiles_are_sorted_by_what_the_caller_says(self):
        mark = fresh("sorted")
        people = [f"{letter}-{mark}@example.com" for letter in "cab"]
        for email in people:
            new_profile(email=email)
        filter = f"any(email,{people})".replace("'", '"')

        def found(sort):
            return [each.attributes.email[0] for each in profiles.get_profiles(filter=filter, sort=sort).data]

        self.assertEqual(found("email"), ["a", "b", "c"])
        self.assertEqual(found("-email"), ["c", "b", "a"])
        self.assertEqual(found("created"), ["c", "a", "b"])
        self.assertEqual(found("-created"), ["b", "a", "c"])

    def test_fields_and_lists_of_a_profile(self):
        id, list = new_profile(first_name="Ida"), new_list()
        lists.add_profiles_to_list(list, references("profile", [id]))
        eventually(lambda: [each.id for each in profiles.get_lists_for_profile(id).data] == [list], "the list")
        self.assertEqual([each.id for each in profiles.get_list_ids_for_profile(id).data], [list])
        answer = profiles.get_profile(id, fields_profile=["first_name"], include=["lists"])
        self.assertEqual(answer["data"]["attributes"], {"first_name": "Ida"})
        self.assertEqual([(each["type"], each["id"]) for each in answer["included"]], [("list", list)])
        full = profiles.get_profile(id, additional_fields_profile=["subscriptions", "predictive_analytics"]).data
        self.assertEqual(full.attributes.subscriptions.email.marketing.can_receive_email_marketing, True)
        self.assertEqual(full.attributes.subscriptions.email.marketing.consent, "NEVER_SUBSCRIBED")
        self.assertIsNone(profiles.get_profile(id).data.attributes.subscriptions)
