"""The client of the API that Klaviyo had before: events and people by the public token, `1` or `0` in answer."""

import base64
import json
import os
import time
import unittest
import urllib.parse
import urllib.request
import uuid

from klaviyo import Klaviyo
from klaviyo.api_helper import KlaviyoAPI
from klaviyo.public import Public

URL = os.environ["TILLSTREAM_URL"]
KEY = os.environ["TILLSTREAM_API_KEY"]
TOKEN = "LOCAL0"
PATIENCE_SECONDS = 90

# Its POSTs go to this address whatever it is told, so the address is what is changed.
KlaviyoAPI.KLAVIYO_API_SERVER = f"{URL}/api"
client = Public(public_token=TOKEN, api_server=f"{URL}/api")


def get(path, **parameters):
    request = urllib.request.Request(f"{URL}{path}?{urllib.parse.urlencode(parameters)}")
    request.add_header("Authorization", f"Klaviyo-API-Key {KEY}")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["data"]


def address():
    return f"{uuid.uuid4().hex}@example.com"


def profile(email):
    found = get("/api/profiles", filter=f'equals(email,"{email}")')
    return found[0] if found else None


def told(email):
    """The properties of what happened to somebody, oldest first."""
    person = profile(email)
    if person is None:
        return []
    events = get("/api/events", filter=f'equals(profile_id,"{person["id"]}")', sort="datetime")
    return [event["attributes"] for event in events]


class Legacy(unittest.TestCase):
    def eventually_equal(self, look, expected):
        end = time.monotonic() + PATIENCE_SECONDS
        while (found := look()) != expected and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(found, expected)

    def test_an_event_by_either_method(self):
        for method in ("get", "post"):
            with self.subTest(method=method):
                email = address()
                answer = client.track(
                    "Placed Order", email=email, external_id=uuid.uuid4().hex, timestamp=1700000000, method=method,
                    properties={"$event_id": "1001", "$value": 29.98, "ItemNames": ["Mug"], "Items": [{"SKU": "1"}]},
                    customer_properties={"$first_name": "Ida", "$city": "Oslo", "tier": "gold"},
                )
                self.assertEqual(answer.data, 1)
                self.eventually_equal(lambda: len(told(email)), 1)
                (event,) = told(email)
                self.assertEqual(event["timestamp"], 1700000000)
                properties = event["event_properties"]
                self.assertEqual((properties["$value"], properties["ItemNames"]), (29.98, ["Mug"]))
                attributes = profile(email)["attributes"]
                self.assertEqual((attributes["first_name"], attributes["location"]["city"]), ("Ida", "Oslo"))
                self.assertEqual(attributes["properties"], {"tier": "gold"})

    def test_an_event_that_happens_once(self):
        email = address()
        for timestamp in (1700000000, 1700000100):
            answer = client.track_once("Opened Account", email=email, timestamp=timestamp)
            self.assertEqual(answer.data, 1)
            # Of two on their way at the same time, either may be the first.
            self.eventually_equal(lambda: [event["timestamp"] for event in told(email)], [1700000000])
        self.assertEqual(client.track("Came Back", email=email, timestamp=1700000200).data, 1)
        self.eventually_equal(lambda: [event["timestamp"] for event in told(email)], [1700000000, 1700000200])

    def test_a_person_by_either_method(self):
        email = address()
        self.assertEqual(client.identify(email=email, properties={"$last_name": "Example", "tier": "gold"}).data, 1)
        self.eventually_equal(lambda: (profile(email) or {}).get("attributes", {}).get("last_name"), "Example")
        answer = client.identify(email=email, properties={"$last_name": "Sample", "points": 3}, method="post")
        self.assertEqual(answer.data, 1)
        self.eventually_equal(lambda: profile(email)["attributes"]["last_name"], "Sample")
        self.assertEqual(profile(email)["attributes"]["properties"], {"tier": "gold", "points": 3})

    def test_the_client_as_its_readme_makes_it(self):
        email = address()
        # Its GETs by this way go to the address it was published with, so only POST can be meant here.
        answer = Klaviyo(public_token=TOKEN).Public.track("Signed Up", email=email, method="post")
        self.assertEqual(answer.data, 1)
        self.eventually_equal(lambda: len(told(email)), 1)

    def test_an_unknown_token_is_0(self):
        other = Public(public_token="NOBODY", api_server=f"{URL}/api")
        self.assertEqual(other.track("Placed Order", email=address()).data, 0)

    def test_data_that_cannot_be_read_is_0(self):
        for data in ("nonsense", base64.b64encode(b'{"token": "LOCAL0"}').decode()):
            with urllib.request.urlopen(f"{URL}/api/track?{urllib.parse.urlencode({'data': data})}") as answer:
                self.assertEqual(answer.read(), b"0")


if __name__ == "__main__":
    unittest.main()
