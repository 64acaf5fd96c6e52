"""Filters as the SDK's builder writes them: without spaces, lists with single quotation marks."""

from datetime import datetime, timedelta, timezone

from klaviyo_api.filter_builder import FilterBuilder
from support import Test, address, event, events, eventually, fresh, ids, lists, metric_id, new_list, new_profile, profiles


def built(*calls):
    builder = FilterBuilder()
    for operator, *arguments in calls:
        getattr(builder, operator)(*arguments)
    return builder.build()


class Filters(Test):
    def test_texts_lists_and_dates(self):
        one, other = address("a+b"), address("o'neil")
        first, second = new_profile(email=one), new_profile(email=other)
        past, future = datetime.now(timezone.utc) - timedelta(days=1), datetime.now(timezone.utc) + timedelta(days=1)
        for calls, found in (
            ([("equals", "email", one)], [first]),
            ([("equals", "email", other)], [second]),
            ([("any", "id", [first, second])], [first, second]),
            ([("any", "email", [one, other])], [first, second]),
            ([("any", "id", [first, second]), ("greater_than", "created", past)], [first, second]),
            ([("any", "id", [first, second]), ("less_than", "updated", future)], [first, second]),
            ([("any", "id", [first, second]), ("greater_than", "updated", future)], []),
        ):
            with self.subTest(filter=built(*calls)):
                self.assertEqual(sorted(ids(profiles.get_profiles(filter=built(*calls)))), sorted(found))

    def test_numbers_and_relationships(self):
        metric = fresh("Filtered")
        events.create_event(event(metric, address(), time="2026-04-05T06:07:08Z"))
        id = metric_id(metric)
        filter = built(("equals", "metric_id", id), ("greater_or_equal", "timestamp", 1775369228), ("has", "profile"))
        found = eventually(lambda: events.get_events(filter=filter).data, "the event")
        self.assertEqual(found[0].attributes.timestamp, 1775369228)
        later = built(("equals", "metric_id", id), ("greater_than", "timestamp", 1775369228))
        self.assertEqual(ids(events.get_events(filter=later)), [])

    def test_a_filter_that_is_not_offered_is_refused_with_its_parameter(self):
        error = self.refused(400, profiles.get_profiles, filter=built(("contains", "email", "a")))
        self.assertEqual(error.source.parameter, "filter")
        error = self.refused(400, lists.get_lists, filter=built(("equals", "colour", "red")))
        self.assertEqual(error.source.parameter, "filter")
        new_list()
