from support import Test, address, bulk_import, everything, fresh, profiles


class BulkImports(Test):
    def test_profiles_are_created_and_updated_and_null_clears_nothing(self):
        mark = fresh("bulk")
        people = [f"{place}-{mark}@example.com" for place in range(30)]
        id = bulk_import([{"email": email, "first_name": "Ida", "properties": {"mark": mark}} for email in people])
        attributes = profiles.get_bulk_import_profiles_job(id).data.attributes
        self.assertEqual((attributes.completed_count, attributes.failed_count), (30, 0))
        self.assertIsNotNone(attributes.completed_at)
        self.assertIn(id, [job.id for job in profiles.get_bulk_import_profiles_jobs(filter='equals(status,"complete")').data])
        imported = everything(profiles.get_profiles_for_bulk_import_profiles_job, id, page_size=7)
        self.assertEqual(sorted(each.attributes.email for each in imported), sorted(people))
        related = everything(profiles.get_profile_ids_for_bulk_import_profiles_job, id, page_size=20)
        self.assertEqual(sorted(each.id for each in related), sorted(each.id for each in imported))

        bulk_import([{"email": people[0], "first_name": None, "last_name": "Example"}])
        found = profiles.get_profiles(filter=f'equals(email,"{people[0]}")').data[0].attributes
        self.assertEqual((found.first_name, found.last_name), ("Ida", "Example"))

    def test_a_row_that_is_no_good_is_an_error_of_its_own(self):
        good = address()
        id = bulk_import([{"email": good}, {"email": "nobody"}, {"first_name": "Nameless"}])
        attributes = profiles.get_bulk_import_profiles_job(id).data.attributes
        self.assertEqual((attributes.completed_count, attributes.failed_count), (1, 2))
        errors = profiles.get_errors_for_bulk_import_profiles_job(id).data
        places = sorted(error.attributes.source.pointer for error in errors)
        self.assertEqual(len(places), 2)
        self.assertTrue(places[0].startswith("/data/attributes/profiles/data/1"), places)
        self.assertTrue(places[1].startswith("/data/attributes/profiles/data/2"), places)
        self.assertEqual(len(profiles.get_profiles(filter=f'equals(email,"{good}")').data), 1)
