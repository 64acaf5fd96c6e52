from datetime import datetime, timezone

from support import Test, address, document, event, events, eventually, fresh, ids, metric_id, metrics


class Aggregates(Test):
    def setUp(self):
        self.metric = fresh("Paid")
        people = [address(), address()]
        for day, person, value, colour in ((1, 0, 10, "red"), (1, 1, 5, "red"), (2, 0, 2.5, "blue"), (4, 0, 1, "blue")):
            body = event(
                self.metric, people[person], time=f"2026-05-0{day}T12:00:00Z", value=value, unique_id=f"{day}",
                properties={"Colour": colour},
            )
            events.create_event(body)
        self.id = metric_id(self.metric)
        eventually(lambda: len(events.get_events(filter=f'equals(metric_id,"{self.id}")').data) == 4, "all events")

    def aggregate(self, **attributes):
        days = ["greater-or-equal(datetime,2026-05-01T00:00:00)", "less-than(datetime,2026-05-05T00:00:00)"]
        body = document("metric-aggregate", {"metric_id": self.id, "filter": days, **attributes})
        return metrics.query_metric_aggregates(body).data.attributes

    def test_counts_sums_and_people_by_day(self):
        found = self.aggregate(measurements=["count", "sum_value", "unique"], interval="day")
        self.assertEqual(found.dates, [datetime(2026, 5, day, tzinfo=timezone.utc) for day in (1, 2, 3, 4)])
        (row,) = found.data
        self.assertEqual(row.dimensions, [])
        self.assertEqual(row.measurements, {"count": [2, 1, 0, 1], "sum_value": [15, 2.5, 0, 1], "unique": [2, 1, 0, 1]})

    def test_a_zone_moves_the_days(self):
        found = self.aggregate(measurements=["count"], interval="day", timezone="Pacific/Kiritimati")
        self.assertEqual(sum(sum(row.measurements["count"]) for row in found.data), 3)

    def test_the_ordinary_questions_about_a_metric(self):
        (property,) = [each for each in metrics.get_properties_for_metric(self.id).data if each.attributes.label == "Colour"]
        self.assertIn(property.id, ids(metrics.get_property_ids_for_metric(self.id)))
        self.assertEqual(metrics.get_metric_property(property.id).data.attributes.var_property, "Colour")
        self.assertEqual(metrics.get_metric_for_metric_property(property.id).data.id, self.id)

    def test_a_custom_metric_and_what_it_stands_for(self):
        definition = {"aggregation_method": "value", "metric_groups": [{"metric_id": self.id, "value_property": "$value"}]}
        name = fresh("Custom")
        created = metrics.create_custom_metric(document("custom-metric", {"name": name, "definition": definition})).data
        self.assertEqual(created.attributes.name, name)
        self.assertEqual(metrics.get_custom_metric(created.id).data.attributes.definition.aggregation_method, "value")
        self.assertEqual(ids(metrics.get_metrics_for_custom_metric(created.id)), [self.id])
        mapped = document("mapped-metric", id="revenue", relationships={"custom-metric": {"data": {"type": "custom-metric", "id": created.id}}})
        metrics.update_mapped_metric("revenue", mapped)
        self.assertEqual(metrics.get_custom_metric_id_for_mapped_metric("revenue").data.id, created.id)
        mapped = document("mapped-metric", id="revenue", relationships={"metric": {"data": {"type": "metric", "id": self.id}}})
        metrics.update_mapped_metric("revenue", mapped)
        self.assertEqual(metrics.get_metric_id_for_mapped_metric("revenue").data.id, self.id)
        renamed = metrics.update_custom_metric(created.id, document("custom-metric", {"name": f"{name} 2"}, id=created.id)).data
        self.assertEqual(renamed.attributes.name, f"{name} 2")
        metrics.delete_custom_metric(created.id)
        self.refused(404, metrics.get_custom_metric, created.id)
