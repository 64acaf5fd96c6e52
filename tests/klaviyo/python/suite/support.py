"""What the tests of the SDK share: its client, as its README says it is made, with another host."""

import os
import time
import unittest
import uuid

from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import ApiException

URL = os.environ["TILLSTREAM_URL"]
KEY = os.environ["TILLSTREAM_API_KEY"]
# Others may use the machine.
PATIENCE_SECONDS = 90

client = KlaviyoAPI(KEY, max_delay=5, max_retries=5, test_host=URL)
events, metrics = client.Events, client.Metrics
profiles, lists, segments = client.Profiles, client.Lists, client.Segments
catalogs, privacy, tags = client.Catalogs, client.Data_Privacy, client.Tags


def fresh(name):
    """A name that no other test has."""
    return f"{name}-{uuid.uuid4().hex[:12]}"


def address(name="person"):
    return f"{fresh(name)}@example.com"


def telephone():
    """A German mobile number."""
    return f"+49151{uuid.uuid4().int % 10**8:08}"


def document(kind, attributes=None, **members):
    """A JSON:API document of one resource."""
    data = {"type": kind, **members}
    if attributes is not None:
        data["attributes"] = attributes
    return {"data": data}


def references(kind, ids):
    return {"data": [{"type": kind, "id": id} for id in ids]}


def event(metric, email, time=None, **attributes):
    """An event of the metric with this name; further attributes as they are."""
    attributes = {
        "properties": attributes.pop("properties", {}),
        "metric": document("metric", {"name": metric}),
        "profile": document("profile", {"email": email}),
        **attributes,
    }
    if time is not None:
        attributes["time"] = time
    return document("event", attributes)


def new_profile(**attributes):
    """The id of a new profile."""
    return profiles.create_profile(document("profile", {"email": address(), **attributes})).data.id


def bulk_import(rows, **members):
    """The id of a job that imports these profiles, when it is done."""
    attributes = {"profiles": {"data": [document("profile", row)["data"] for row in rows]}}
    job = profiles.bulk_import_profiles(document("profile-bulk-import-job", attributes, **members)).data
    assert job.attributes.total_count == len(rows), job
    eventually(lambda: profiles.get_bulk_import_profiles_job(job.id).data.attributes.status == "complete", "the import")
    return job.id


def new_list(name="list"):
    return lists.create_list(document("list", {"name": fresh(name)})).data.id


def new_segment(*conditions):
    """The id of a new segment: one group for each condition, so that all must hold."""
    groups = [{"conditions": [condition]} for condition in conditions]
    attributes = {"name": fresh("segment"), "definition": {"condition_groups": groups}}
    return segments.create_segment(document("segment", attributes)).data.id


def has_property(name, value):
    """The condition that a profile's custom property equals a text."""
    filter = {"type": "string", "operator": "equals", "value": value}
    return {"type": "profile-property", "property": f"properties['{name}']", "filter": filter}


def metric_id(name):
    """The id of the metric with this name, once something happened."""

    def look():
        for metric in metrics.get_metrics().data:
            if metric.attributes.name == name:
                return metric.id

    return eventually(look, f"the metric {name}")


def ids(answer):
    return [item.id for item in answer.data]


def pages(get, *arguments, **parameters):
    """Each page of a collection, by the link to the next one, exactly as it came."""
    cursor = None
    while True:
        page = get(*arguments, **parameters, **({"page_cursor": cursor} if cursor else {}))
        yield page
        cursor = page.links.next
        if not cursor:
            return


def everything(get, *arguments, **parameters):
    return [item for page in pages(get, *arguments, **parameters) for item in page.data]


def eventually(look, what):
    """Asks again until there is an answer."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"it did not come to pass: {what}")
        time.sleep(0.05)


class Test(unittest.TestCase):
    maxDiff = None

    def eventually_equal(self, look, expected):
        """Asks again until the answer is the expected one, or shows the last one."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (found := look()) != expected and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(found, expected)

    def refused(self, status, call, *arguments, **parameters):
        """Calls, expects this status, and returns the first error of the answer."""
        with self.assertRaises(ApiException) as raised:
            call(*arguments, **parameters)
        self.assertEqual(raised.exception.status, status, raised.exception.body)
        return raised.exception.data.errors[0]
