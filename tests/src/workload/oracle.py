"""DuckDB as an oracle: reads requests, one JSON object a line, and answers each with one. One thread, so that its seconds are one core's.

usage: oracle.py segments.sql
"""

import json
import resource
import sys

import duckdb

PEOPLE = """CREATE TABLE people AS SELECT * FROM read_csv(?, header = true, nullstr = '', columns = {
  'profile': 'INTEGER', 'email': 'VARCHAR', 'email_consent': 'VARCHAR', 'bounced': 'BOOLEAN', 'phone': 'VARCHAR',
  'sms_consent': 'VARCHAR', 'country': 'VARCHAR', 'birthday': 'DATE', 'tier': 'VARCHAR', 'points': 'INTEGER',
  'newsletter': 'BOOLEAN', 'vip': 'BOOLEAN', 'created': 'BIGINT'})"""

# An event counts once, however often it was sent.
RECEIVED = """CREATE TABLE received AS SELECT DISTINCT ON (id) * FROM read_csv(?, header = true, nullstr = '', columns = {
  'id': 'BIGINT', 'profile': 'INTEGER', 'metric': 'VARCHAR', 'occurred': 'BIGINT', 'value': 'DECIMAL(9, 2)',
  'category': 'VARCHAR', 'source': 'VARCHAR', 'campaign': 'INTEGER', 'code': 'VARCHAR', 'items': 'INTEGER'})"""

# Ordered by profile, and with numbers for names: as fast as DuckDB can have it.
EVENTS = """CREATE TABLE events AS SELECT * REPLACE (metric::metric_name AS metric, category::category_name AS category,
  source::source_name AS source) FROM received ORDER BY profile, occurred"""


class Oracle:
    def __init__(self, segments):
        self.connection = duckdb.connect(config={"threads": 1})
        self.segments = segments

    def load(self, people, events):
        """Takes people and events (one file, several files) in place of those it had."""
        execute = self.connection.execute
        for table in "people", "received", "events":
            execute(f"DROP TABLE IF EXISTS {table}")
        execute(PEOPLE, [people])
        execute(RECEIVED, [events])
        for column in "metric", "category", "source":
            execute(f"DROP TYPE IF EXISTS {column}_name")
            execute(f"CREATE TYPE {column}_name AS ENUM (SELECT DISTINCT {column} FROM received WHERE {column} IS NOT NULL)")
        execute(EVENTS)
        execute("DROP TABLE received")
        execute(self.segments)
        return {"events": self.one("SELECT count(*) FROM events")}

    def recompute(self, now):
        """All memberships at an instant, in one pass. What it takes: seconds of CPU."""
        self.connection.execute(f"SET VARIABLE now = {now}::BIGINT")
        before = cpu_seconds()
        self.connection.execute("CREATE OR REPLACE TABLE result AS SELECT * FROM members")
        return {"seconds": cpu_seconds() - before}

    def write(self, path):
        """The memberships of the last `recompute`: for each profile a number whose bits are the segments."""
        columns = self.connection.execute("SELECT * FROM result LIMIT 0").description
        segments = [column[0] for column in columns if column[0] != "profile"]
        bits = " | ".join(f"(coalesce({segment}, false)::BIGINT << {bit})" for bit, segment in enumerate(segments))
        self.connection.execute(f"COPY (SELECT profile, {bits} FROM result ORDER BY profile) TO '{path}' (HEADER false)")
        return {"segments": segments}

    def numbers(self, profile):
        """Everything that is known of one profile, as far as it is not nothing."""
        found = self.connection.execute("SELECT * FROM known WHERE profile = ?", [profile])
        names = [column[0] for column in found.description]
        return {name: str(value) for name, value in zip(names, found.fetchone()) if value not in (None, 0)}

    def one(self, query):
        return self.connection.execute(query).fetchone()[0]


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        oracle = Oracle(file.read())
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(oracle, request.pop("do"))(**request)
        print(json.dumps(answer), flush=True)


main()
