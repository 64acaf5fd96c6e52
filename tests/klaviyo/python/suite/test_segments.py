from support import (
    Test, address, document, event, events, eventually, fresh, has_property, ids, lists, metric_id, new_list, new_profile,
    new_segment, profiles, references, segments, telephone,
)

ALL_TIME = {"type": "date", "operator": "alltime"}


def number(operator, value):
    return {"type": "numeric", "operator": operator, "value": value}


def text(operator, value):
    return {"type": "string", "operator": operator, "value": value}


def in_the_last(quantity, unit="day"):
    return {"type": "date", "operator": "in-the-last", "quantity": quantity, "unit": unit}


def did(metric, measurement="count", filter=None, timeframe=ALL_TIME, **members):
    return {
        "type": "profile-metric", "metric_id": metric, "measurement": measurement,
        "measurement_filter": filter or number("greater-than-or-equal", 1), "timeframe_filter": timeframe, **members,
    }


class Segments(Test):
    def members_are(self, segment, people):
        self.eventually_equal(lambda: sorted(ids(segments.get_profiles_for_segment(segment, page_size=100))), sorted(people))

    def test_a_segment_is_created_changed_read_and_deleted(self):
        name = fresh("VIPs")
        definition = {"condition_groups": [{"conditions": [has_property("tier", "gold"), has_property("tier", "silver")]}]}
        created = segments.create_segment(document("segment", {"name": name, "definition": definition, "is_starred": True})).data
        self.assertEqual((created.attributes.name, created.attributes.is_active, created.attributes.is_starred), (name, True, True))
        read = segments.get_segment(created.id, additional_fields_segment=["profile_count"]).data
        self.assertEqual(read.attributes.definition.to_dict(), definition)
        eventually(lambda: not segments.get_segment(created.id).data.attributes.is_processing, "everybody is evaluated")
        other = {"condition_groups": [{"conditions": [has_property("tier", "gold")]}]}
        attributes = {"name": f"{name} 2", "is_starred": False, "definition": other}
        changed = segments.update_segment(created.id, document("segment", attributes, id=created.id)).data
        self.assertEqual((changed.attributes.name, changed.attributes.is_starred), (f"{name} 2", False))
        self.assertEqual(changed.attributes.definition.to_dict(), other)
        self.assertEqual(ids(segments.get_segments(filter=f'equals(name,"{name} 2")')), [created.id])
        self.assertIsNone(segments.delete_segment(created.id))
        self.refused(404, segments.get_segment, created.id)

    def test_who_does_it_often_enough_becomes_a_member(self):
        metric, email = fresh("Redeemed Reward"), address()
        events.create_event(event(metric, email, unique_id="1"))
        segment = new_segment(did(metric_id(metric), filter=number("greater-than", 2), timeframe=in_the_last(30)))
        (person,) = ids(eventually_one(email))
        for place in ("2", "2", "3"):
            events.create_event(event(metric, email, unique_id=place))
        self.members_are(segment, [person])
        self.assertEqual(ids(segments.get_profile_ids_for_segment(segment)), [person])
        self.assertEqual(ids(profiles.get_segments_for_profile(person)), [segment])
        self.assertEqual(ids(profiles.get_segment_ids_for_profile(person)), [segment])
        count = segments.get_segment(segment, additional_fields_segment=["profile_count"]).data.attributes.profile_count
        self.assertEqual(count, 1)
        member = segments.get_profiles_for_segment(segment, filter="greater-than(joined_group_at,2020-01-01T00:00:00Z)").data[0]
        self.assertEqual(member.attributes.email, email)
        self.assertIsNotNone(member.attributes.joined_group_at)

    def test_a_condition_on_a_property(self):
        mark = fresh("mark")
        rich = new_profile(properties={"mark": mark, "points": 150, "colours": ["red", "blue"], "vip": True})
        poor = new_profile(properties={"mark": mark, "points": 50, "colours": ["green"], "vip": False})
        nobody = new_profile(properties={"mark": mark})
        mine = has_property("mark", mark)
        for property, filter, members in (
            ("properties['points']", number("greater-than", 100), [rich]),
            ("properties['points']", number("not-equals", 150), [poor]),
            ("properties['vip']", {"type": "boolean", "operator": "equals", "value": True}, [rich]),
            ("properties['colours']", {"type": "list", "operator": "contains", "value": "green"}, [poor]),
            ("properties['points']", {"type": "existence", "operator": "not-set"}, [nobody]),
            ("properties['mark']", text("in", [mark]), [rich, poor, nobody]),
        ):
            with self.subTest(property=property, filter=filter):
                self.members_are(new_segment(mine, {"type": "profile-property", "property": property, "filter": filter}), members)

    def test_a_condition_on_the_properties_of_an_event_and_on_their_sum(self):
        metric, small, big = fresh("Bought"), address(), address()
        events.create_event(event(metric, small, value=20, properties={"Colour": "red"}))
        for place, colour in enumerate(("red", "blue")):
            events.create_event(event(metric, big, value=60, unique_id=f"{place}", properties={"Colour": colour}))
        id = metric_id(metric)
        (small,), (big,) = ids(eventually_one(small)), ids(eventually_one(big))
        self.members_are(new_segment(did(id, "sum", number("greater-than", 100))), [big])
        blue = {"metric_filters": [{"property": "Colour", "filter": text("equals", "blue")}]}
        self.members_are(new_segment(did(id, **blue)), [big])
        self.members_are(new_segment(did(id), did(id, filter=number("equals", 0), **blue)), [small])

    def test_a_condition_on_a_funnel(self):
        saw, bought, email, other = fresh("Saw"), fresh("Bought"), address(), address()
        events.create_event(event(saw, email, time="2026-11-01T10:00:00Z"))
        events.create_event(event(bought, email, time="2026-11-02T10:00:00Z"))
        events.create_event(event(saw, other, time="2026-11-01T10:00:00Z"))
        steps = [{"metric_exists": True, "metric_id": metric_id(name)} for name in (saw, bought)]
        (person,) = ids(eventually_one(email))
        window = {"type": "date", "operator": "in-the-last", "quantity": 3000, "unit": "day"}
        self.members_are(new_segment({"type": "profile-metric-funnel", "timeframe_filter": window, "steps": steps}), [person])

    def test_a_condition_on_lists_and_segments(self):
        mark, list = fresh("mark"), new_list()
        inside, outside = new_profile(properties={"mark": mark}), new_profile(properties={"mark": mark})
        lists.add_profiles_to_list(list, references("profile", [inside]))
        mine = has_property("mark", mark)
        joined = {"type": "profile-group-membership", "is_member": True, "group_ids": [list], "timeframe_filter": in_the_last(7)}
        member = new_segment(mine, joined)
        self.members_are(member, [inside])
        self.members_are(new_segment(mine, {"type": "profile-group-membership", "is_member": False, "group_ids": [list]}), [outside])
        self.members_are(new_segment(mine, {"type": "profile-group-membership", "is_member": False, "group_ids": [member]}), [outside])
        self.refused(409, lists.delete_list, list)

    def test_a_condition_on_consent(self):
        mark = fresh("mark")
        person = new_profile(properties={"mark": mark})
        consent = {"channel": "email", "can_receive_marketing": True, "consent_status": {"subscription": "any"}}
        self.members_are(new_segment(has_property("mark", mark), {"type": "profile-marketing-consent", "consent": consent}), [person])
        consent = {"channel": "email", "can_receive_marketing": True, "consent_status": {"subscription": "subscribed"}}
        segment = new_segment(has_property("mark", mark), {"type": "profile-marketing-consent", "consent": consent})
        eventually(lambda: not segments.get_segment(segment).data.attributes.is_processing, "everybody is evaluated")
        self.members_are(segment, [])

    def test_a_condition_on_the_place(self):
        mark = fresh("mark")
        paris = new_profile(properties={"mark": mark}, location={"country": "France", "zip": "75001"})
        boston = new_profile(properties={"mark": mark}, location={"country": "United States", "zip": "02108"})
        mine = has_property("mark", mark)
        for region, members in (("european_union", [paris]), ("united_states", [boston])):
            self.members_are(new_segment(mine, {"type": "profile-region", "in_region": True, "region": region}), members)
        near = {
            "type": "profile-postal-code-distance", "country_code": "FR", "postal_code": "75002", "unit": "kilometers",
            "filter": number("less-than", 10),
        }
        self.members_are(new_segment(mine, near), [paris])

    def test_a_condition_on_predictions(self):
        mark = fresh("mark")
        new_profile(properties={"mark": mark})
        for condition in (
            {"dimension": "historic_number_of_orders", "filter": number("greater-than", 3)},
            {"dimension": "expected_date_of_next_purchase", "filter": {"type": "date", "operator": "in-the-next", "quantity": 7, "unit": "day"}},
        ):
            segment = new_segment(has_property("mark", mark), {"type": "profile-predictive-analytics", **condition})
            eventually(lambda: not segments.get_segment(segment).data.attributes.is_processing, "everybody is evaluated")
            self.members_are(segment, [])

    def test_a_condition_on_permissions(self):
        mark = fresh("mark")
        person = new_profile(phone_number=telephone(), properties={"mark": mark})
        for status, members in (("implicitly_or_explicitly_unreachable", [person]), ("implicitly_or_explicitly_reachable", [])):
            permission = {
                "type": "profile-permissions", "channel": "whatsapp_marketing", "permission": {"reachable_status": status},
            }
            segment = new_segment(has_property("mark", mark), permission)
            eventually(lambda: not segments.get_segment(segment).data.attributes.is_processing, "everybody is evaluated")
            self.members_are(segment, members)

    def test_what_cannot_be_evaluated_is_refused_with_its_place(self):
        gender = {"type": "profile-predictive-analytics", "dimension": "predicted_gender", "filter": text("equals", "likely_female")}
        objects = {
            "type": "profile-has-custom-object", "object_type_id": "1", "object_type_relationship_id": "2",
            "filter": number("equals", 1), "filters": [],
        }
        for condition in (gender, objects):
            error = self.refused(400, new_segment, condition)
            self.assertTrue(error.source.pointer.startswith("/data/attributes/definition/condition_groups/0/conditions/0"), error)


def eventually_one(email):
    def look():
        answer = profiles.get_profiles(filter=f'equals(email,"{email}")')
        return answer if answer.data else None

    return eventually(look, f"the profile of {email}")
