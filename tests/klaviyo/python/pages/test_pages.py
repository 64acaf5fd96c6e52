"""Pages by their links, while what is paged changes."""

from support import (
    Test, bulk_import, document, eventually, everything, fresh, has_property, ids, lists, new_list, new_profile, new_segment, pages,
    profiles, references, segments,
)

MEMBERS = 1010


class Pages(Test):
    @classmethod
    def setUpClass(cls):
        cls.mark = fresh("crowd")
        job = bulk_import([{"email": f"{place}-{cls.mark}@example.com", "properties": {"mark": cls.mark}} for place in range(MEMBERS)])
        people = everything(profiles.get_profiles_for_bulk_import_profiles_job, job, page_size=100)
        cls.people = [person.id for person in people]
        assert len(set(cls.people)) == MEMBERS, len(set(cls.people))

    def every_page_while_members_churn(self, get, group, leave, join):
        """Pages to the end; between pages somebody who was seen and somebody who was not leaves, and somebody comes."""
        remaining, left, seen, count = set(self.people), set(), [], 0
        for page in pages(get, group, page_size=100):
            count += 1
            seen += ids(page)
            gone = [next(iter(remaining & set(seen) - left)), *list(remaining - set(seen) - left)[:1]]
            leave(gone)
            left |= set(gone)
            join(count)
        stayed = remaining - left
        self.assertGreaterEqual(count, 11)
        self.assertEqual(len(seen), len(set(seen)), "nobody twice")
        self.assertEqual(stayed - set(seen), set(), "nobody is missed who was there all the time")

    def test_a_list_of_more_than_a_thousand(self):
        list = new_list()
        for start in range(0, MEMBERS, 1000):
            lists.add_profiles_to_list(list, references("profile", self.people[start : start + 1000]))

        def leave(people):
            lists.remove_profiles_from_list(list, references("profile", people))

        def join(place):
            lists.add_profiles_to_list(list, references("profile", [new_profile()]))

        self.every_page_while_members_churn(lists.get_profile_ids_for_list, list, leave, join)
        self.eventually_equal(lambda: lists.get_list(list, additional_fields_list=["profile_count"]).data.attributes.profile_count,
                              len(everything(lists.get_profiles_for_list, list, page_size=100)))

    def test_a_segment_of_more_than_a_thousand(self):
        segment = new_segment(has_property("mark", self.mark))
        eventually(lambda: not segments.get_segment(segment).data.attributes.is_processing, "everybody is evaluated")

        def leave(people):
            for id in people:
                profiles.update_profile(id, document("profile", {"properties": {"mark": "gone"}}, id=id))

        def join(place):
            new_profile(properties={"mark": self.mark})

        self.every_page_while_members_churn(segments.get_profiles_for_segment, segment, leave, join)

    def test_the_link_as_the_sdk_cuts_it_from_an_https_address(self):
        """Behind https the SDK cuts the cursor out of the link and leaves its `=`."""
        first = profiles.get_profiles(page_size=5)
        rest = profiles.get_profiles(page_size=5, page_cursor=first.links.next)
        https = first.links.next.replace("http://", "https://")
        self.assertEqual(ids(profiles.get_profiles(page_size=5, page_cursor=https)), ids(rest))
        self.assertEqual(set(ids(first)) & set(ids(rest)), set())
        cursor = first.links.next.split("page%5Bcursor%5D=")[-1].split("&")[0]
        self.assertEqual(ids(profiles.get_profiles(page_size=5, page_cursor=cursor)), ids(rest))
        error = self.refused(400, profiles.get_profiles, page_cursor="nonsense")
        self.assertEqual(error.source.parameter, "page[cursor]")
