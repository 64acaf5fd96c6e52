"""A stack that admits what Klaviyo admits: the SDK waits as long as it is told and comes through."""

import os
import time
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor

from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import ApiException

URL = os.environ["TILLSTREAM_URL"]
KEY = os.environ["TILLSTREAM_API_KEY"]

# Of an operation that is admitted once a second.
AT_ONCE = 5


def create_segment(retries):
    """The new segment's id, or what was raised."""
    client = KlaviyoAPI(KEY, max_retries=retries, max_delay=5, test_host=URL)
    condition = {
        "type": "profile-property", "property": "properties['never']",
        "filter": {"type": "string", "operator": "equals", "value": uuid.uuid4().hex},
    }
    definition = {"condition_groups": [{"conditions": [condition]}]}
    body = {"data": {"type": "segment", "attributes": {"name": uuid.uuid4().hex, "definition": definition}}}
    try:
        return client.Segments.create_segment(body).data.id
    except ApiException as error:
        return error


def at_once(retries):
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(create_segment, [retries] * AT_ONCE))


class Limits(unittest.TestCase):
    def test_an_answer_says_what_is_left(self):
        answer = KlaviyoAPI(KEY, test_host=URL).Profiles.get_profiles_with_http_info(page_size=1)
        told = {name.lower(): value for name, value in answer.headers.items()}
        remaining = int(told["ratelimit-remaining"])
        self.assertGreater(int(told["ratelimit-limit"].split(",")[0]), remaining)
        self.assertLessEqual(int(told["ratelimit-reset"]), 60)

    def test_who_does_not_wait_is_told_how_long_to(self):
        refused = [answer for answer in at_once(1) if isinstance(answer, ApiException)]
        self.assertGreater(len(refused), 0)
        for error in refused:
            self.assertEqual(error.status, 429)
            self.assertGreaterEqual(int(error.headers["Retry-After"]), 1)
            self.assertEqual(error.data.errors[0].code, "throttled")

    def test_who_waits_comes_through(self):
        started = time.monotonic()
        made = at_once(20)
        self.assertEqual([answer for answer in made if isinstance(answer, ApiException)], [])
        self.assertEqual(len(set(made)), AT_ONCE)
        self.assertGreater(time.monotonic() - started, 1, "one is admitted in a second")
