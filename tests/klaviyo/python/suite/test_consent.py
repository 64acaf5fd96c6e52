from datetime import datetime, timezone

from support import (
    Test, address, document, eventually, fresh, ids, lists, new_list, new_profile, new_segment, profiles, references,
    segments, telephone,
)


def subscription(email, **attributes):
    subscriptions = {"email": {"marketing": {"consent": "SUBSCRIBED", **attributes}}}
    return document("profile", {"email": email, "subscriptions": subscriptions})["data"]


def job(kind, rows, list=None, **attributes):
    members = {"relationships": {"list": {"data": {"type": "list", "id": list}}}} if list else {}
    return document(kind, {"profiles": {"data": rows}, **attributes}, **members)


def single_opt_in_list():
    return lists.create_list(document("list", {"name": fresh("Single"), "opt_in_process": "single_opt_in"})).data.id


def marketing(email):
    found = profiles.get_profiles(filter=f'equals(email,"{email}")', additional_fields_profile=["subscriptions"]).data
    return found[0].attributes.subscriptions.email.marketing if found else None


class Consent(Test):
    def consent_is(self, email, consent, can_receive):
        def look():
            now = marketing(email)
            return (now.consent, now.can_receive_email_marketing) if now else None

        self.eventually_equal(look, (consent, can_receive))

    def test_a_subscription_on_a_list_of_single_opt_in_and_its_end(self):
        email = address()
        list = single_opt_in_list()
        body = job("profile-subscription-bulk-create-job", [subscription(email)], list, custom_source="Footer")
        self.assertIsNone(profiles.bulk_subscribe_profiles(body))
        self.consent_is(email, "SUBSCRIBED", True)
        self.eventually_equal(lambda: [each.attributes.email for each in lists.get_profiles_for_list(list).data], [email])
        now = marketing(email)
        self.assertIsNotNone(now.consent_timestamp)
        consent = {"channel": "email", "can_receive_marketing": True, "consent_status": {"subscription": "subscribed"}}
        segment = new_segment({"type": "profile-marketing-consent", "consent": consent})
        eventually(lambda: not segments.get_segment(segment).data.attributes.is_processing, "everybody is evaluated")
        filter = f'equals(email,"{email}")'
        self.assertEqual(len(segments.get_profiles_for_segment(segment, filter=filter).data), 1)

        row = document("profile", {"email": email, "subscriptions": {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}}})["data"]
        self.assertIsNone(profiles.bulk_unsubscribe_profiles(job("profile-subscription-bulk-delete-job", [row])))
        self.consent_is(email, "UNSUBSCRIBED", False)
        self.eventually_equal(lambda: segments.get_profiles_for_segment(segment, filter=filter).data, [])

    def test_a_historical_subscription_has_its_time(self):
        email, at = address(), datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
        rows = [subscription(email, consented_at=at.isoformat())]
        profiles.bulk_subscribe_profiles(job("profile-subscription-bulk-create-job", rows, new_list(), historical_import=True))
        self.consent_is(email, "SUBSCRIBED", True)
        self.assertEqual(marketing(email).consent_timestamp, at)

    def test_a_suppression_is_apart_from_consent(self):
        email = address()
        new_profile(email=email)
        rows = [document("profile", {"email": email})["data"]]
        created = profiles.bulk_suppress_profiles(job("profile-suppression-bulk-create-job", rows)).data
        eventually(lambda: profiles.get_bulk_suppress_profiles_job(created.id).data.attributes.status == "complete", "the suppression")
        self.consent_is(email, "NEVER_SUBSCRIBED", False)
        self.assertEqual([each.reason for each in marketing(email).suppression], ["USER_SUPPRESSED"])
        suppressed = 'equals(subscriptions.email.marketing.suppression.reason,"USER_SUPPRESSED")'
        self.eventually_equal(lambda: email in [each.attributes.email for each in profiles.get_profiles(filter=suppressed, page_size=100).data], True)
        self.assertIn(created.id, ids(profiles.get_bulk_suppress_profiles_jobs()))
        removed = profiles.bulk_unsuppress_profiles(job("profile-suppression-bulk-delete-job", rows)).data
        eventually(lambda: profiles.get_bulk_unsuppress_profiles_job(removed.id).data.attributes.status == "complete", "its end")
        self.consent_is(email, "NEVER_SUBSCRIBED", True)

    def test_a_whole_list_is_suppressed(self):
        list, people = new_list(), [address() for _ in range(3)]
        lists.add_profiles_to_list(list, references("profile", [new_profile(email=email) for email in people]))
        members = {"relationships": {"list": {"data": {"type": "list", "id": list}}}}
        created = profiles.bulk_suppress_profiles(document("profile-suppression-bulk-create-job", {}, **members)).data
        eventually(lambda: profiles.get_bulk_suppress_profiles_job(created.id).data.attributes.status == "complete", "the suppression")
        for email in people:
            self.consent_is(email, "NEVER_SUBSCRIBED", False)

    def test_text_messages_need_a_number(self):
        email, number = address(), telephone()
        row = document("profile", {"email": email, "phone_number": number, "subscriptions": {"sms": {"marketing": {"consent": "SUBSCRIBED"}}}})["data"]
        profiles.bulk_subscribe_profiles(job("profile-subscription-bulk-create-job", [row], single_opt_in_list()))

        def look():
            found = profiles.get_profiles(filter=f'equals(phone_number,"{number}")', additional_fields_profile=["subscriptions"]).data
            return found and found[0].attributes.subscriptions.sms.marketing.consent

        self.eventually_equal(look, "SUBSCRIBED")
        row["attributes"].pop("phone_number")
        self.refused(400, profiles.bulk_subscribe_profiles, job("profile-subscription-bulk-create-job", [row]))
