from datetime import datetime, timezone

from support import (
    Test, address, document, event, events, eventually, fresh, metric_id, metrics, profiles,
)


class Events(Test):
    def told(self, email, **parameters):
        """The events of the person with this address, oldest first."""
        found = profiles.get_profiles(filter=f'equals(email,"{email}")').data
        if not found:
            return []
        filter = f'equals(profile_id,"{found[0].id}")'
        return events.get_events(filter=filter, sort="datetime", **parameters).data

    def test_an_event_makes_its_profile_and_metric_and_is_read_back(self):
        email, metric = address(), fresh("Signed Guestbook")
        body = event(
            metric, email, time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), value=12.5, value_currency="EUR",
            unique_id="first", properties={"Colour": "green", "Sizes": [1, 2], "Nothing": None, "Deep": {"a": {"b": True}}},
        )
        self.assertIsNone(events.create_event(body))
        eventually(lambda: self.told(email), "the event")
        (found,) = self.told(email)
        attributes = found.attributes
        self.assertEqual(attributes.datetime_, datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
        self.assertEqual(attributes.timestamp, 1767323045)
        self.assertEqual(
            {name: attributes.event_properties.get(name) for name in ("Colour", "Sizes", "Deep", "$value")},
            {"Colour": "green", "Sizes": [1, 2], "Deep": {"a": {"b": True}}, "$value": 12.5},
        )
        self.assertEqual(found.relationships.metric.data.id, metric_id(metric))

        single = events.get_event(found.id, include=["metric", "profile"])
        self.assertEqual(single.data.attributes, attributes)
        self.assertEqual(events.get_metric_for_event(found.id).data.attributes.name, metric)
        self.assertEqual(events.get_metric_id_for_event(found.id).data.id, metric_id(metric))
        self.assertEqual(events.get_profile_for_event(found.id).data.attributes.email, email)
        self.assertEqual(events.get_profile_id_for_event(found.id).data.id, found.relationships.profile.data.id)

    def test_of_one_unique_id_the_first_event_stays(self):
        email, metric = address(), fresh("Paid")
        events.create_event(event(metric, email, unique_id="same", value=1))
        eventually(lambda: self.told(email), "the first")
        for value in (2, 3):
            events.create_event(event(metric, email, unique_id="same", value=value))
        events.create_event(event(metric, email, unique_id="other", value=4))
        eventually(lambda: len(self.told(email)) >= 2, "both events")
        self.assertEqual(sorted(found.attributes.event_properties["$value"] for found in self.told(email)), [1, 4])

    def test_events_are_filtered_by_metric_and_time_and_sorted(self):
        email, metric = address(), fresh("Visited")
        for day in (1, 2, 3, 4):
            events.create_event(event(metric, email, time=f"2026-05-0{day}T00:00:00Z", unique_id=str(day)))
        id = metric_id(metric)
        eventually(lambda: len(self.told(email)) == 4, "all four")

        def days(filter, sort):
            found = events.get_events(filter=f'equals(metric_id,"{id}"){filter}', sort=sort).data
            return [each.attributes.datetime_.day for each in found]

        self.assertEqual(days("", "datetime"), [1, 2, 3, 4])
        self.assertEqual(days("", "-datetime"), [4, 3, 2, 1])
        between = ",greater-or-equal(datetime,2026-05-02T00:00:00Z),less-than(datetime,2026-05-04T00:00:00Z)"
        self.assertEqual(days(between, "datetime"), [2, 3])
        self.assertEqual(days(",greater-than(timestamp,1777680000)", "timestamp"), [3, 4])
        self.assertEqual(days(",has(metric)", "-timestamp"), [4, 3, 2, 1])

    def test_events_of_a_bulk_job_arrive_with_their_profiles(self):
        metric, people = fresh("Imported"), [address() for _ in range(3)]
        job = document("event-bulk-create-job", {"events-bulk-create": {"data": [
            {"type": "event-bulk-create", "attributes": {
                "profile": document("profile", {"email": email, "first_name": "Bulk"}),
                "events": {"data": [
                    document("event", {
                        "properties": {"Place": place}, "unique_id": f"{place}", "time": f"2026-03-0{place}T10:00:00Z",
                        "metric": document("metric", {"name": metric}),
                    })["data"]
                    for place in (1, 2)
                ]},
            }}
            for email in people
        ]}})
        self.assertIsNone(events.bulk_create_events(job))
        for email in people:
            eventually(lambda: len(self.told(email)) == 2, "both events of everybody")
            places = [found.attributes.event_properties["Place"] for found in self.told(email)]
            self.assertEqual(places, [1, 2])
        found = profiles.get_profiles(filter=f'equals(email,"{people[0]}")').data[0]
        self.assertEqual(found.attributes.first_name, "Bulk")

    def test_a_unique_id_that_is_twice_in_a_bulk_job_refuses_it(self):
        twice = document("event", {
            "properties": {}, "unique_id": "twice", "metric": document("metric", {"name": fresh("Twice")}),
        })["data"]
        job = document("event-bulk-create-job", {"events-bulk-create": {"data": [
            {"type": "event-bulk-create", "attributes": {
                "profile": document("profile", {"email": address()}), "events": {"data": [twice, twice]},
            }},
        ]}})
        error = self.refused(400, events.bulk_create_events, job)
        self.assertTrue(error.source.pointer.startswith("/data/attributes/events-bulk-create"), error)

    def test_an_event_without_anybody_is_refused_with_its_place(self):
        body = event(fresh("Nobody"), None)
        body["data"]["attributes"]["profile"]["data"]["attributes"] = {}
        error = self.refused(400, events.create_event, body)
        self.assertIn("/data/attributes/profile", error.source.pointer)

    def test_sparse_fieldsets_leave_the_rest_out(self):
        email, metric = address(), fresh("Sparse")
        events.create_event(event(metric, email, properties={"Colour": "red", "Size": 2}))
        id = metric_id(metric)
        answer = eventually(
            lambda: events.get_events(filter=f'equals(metric_id,"{id}")', fields_event=["event_properties.Colour"])["data"],
            "the event",
        )
        self.assertEqual(answer[0]["attributes"], {"event_properties": {"Colour": "red"}})

    def test_an_event_that_is_not_there_is_404(self):
        self.assertEqual(self.refused(404, events.get_event, "nothing").code, "not_found")


class Metrics(Test):
    def test_a_metric_is_of_the_api_and_known_by_its_id(self):
        metric = fresh("Named")
        events.create_event(event(metric, address()))
        id = metric_id(metric)
        found = metrics.get_metric(id).data
        self.assertEqual((found.id, found.attributes.name), (id, metric))
        self.assertEqual(found.attributes.integration["name"].lower(), "api")
        name = found.attributes.integration["name"]
        self.assertIn(id, [each.id for each in metrics.get_metrics(filter=f'equals(integration.name,"{name}")').data])
        self.assertEqual(metrics.get_metrics(filter='equals(integration.name,"Nobody")').data, [])
        self.refused(404, metrics.get_metric, "NONE00")
