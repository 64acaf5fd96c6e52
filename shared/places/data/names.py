#!/usr/bin/env python3
"""Writes names.rs, the codes and names of countries, beside this file.

    pip install --no-deps --target babel babel==2.18.0
    PYTHONPATH=babel python3 names.py

Babel carries Unicode's CLDR (see LICENSE.md): the ISO 3166-1 codes, the English names, and each country's name in its
own languages; the names of the countries that matter most in the largest European languages. CLDR has one English name
for each; the others that people write are below. Names are folded as `src/country.rs` folds what it reads: capitals,
letters only. Accents are kept and, in a second entry, left out.
"""

import pathlib
import unicodedata

from babel import Locale
from babel.core import UnknownLocaleError, get_global
from babel.languages import get_official_languages

# Regions of CLDR that are no countries of ISO 3166-1. Kosovo's XK stays: shops use it.
NO_COUNTRIES = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
EUROPEAN_UNION = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split()
EVERYWHERE = [*EUROPEAN_UNION, "US", "GB", "CA", "AU", "NZ", "CH", "NO"]
LANGUAGES = "da de es fr it nl pl pt sv".split()

ALIASES = {
    "AE": "UAE, Emirates",
    "AT": "Republic of Austria",
    "AU": "Commonwealth of Australia",
    "BA": "Bosnia, Bosnia Herzegovina",
    "BE": "Kingdom of Belgium",
    "BG": "Republic of Bulgaria",
    "BL": "Saint Barthelemy",
    "BN": "Brunei Darussalam",
    "BO": "Plurinational State of Bolivia, Bolivia (Plurinational State of)",
    "BQ": "Bonaire, Bonaire Sint Eustatius and Saba",
    "BS": "The Bahamas",
    "CC": "Cocos Islands",
    "CD": "Democratic Republic of the Congo, DR Congo, DRC, Congo (Democratic Republic of the), "
          "Congo The Democratic Republic of the",
    "CG": "Congo, Republic of the Congo",
    "CH": "Swiss Confederation",
    "CI": "Ivory Coast, Cote d'Ivoire",
    "CN": "People's Republic of China, PRC, Mainland China",
    "CV": "Cabo Verde",
    "CY": "Republic of Cyprus",
    "CZ": "Czech Republic",
    "DE": "Federal Republic of Germany, Bundesrepublik Deutschland",
    "DK": "Kingdom of Denmark",
    "EE": "Republic of Estonia",
    "ES": "Kingdom of Spain",
    "FI": "Republic of Finland",
    "FK": "Falkland Islands (Malvinas), Falklands",
    "FM": "Federated States of Micronesia, Micronesia (Federated States of)",
    "FO": "Faeroe Islands",
    "FR": "French Republic, République française, France métropolitaine, Metropolitan France",
    "GB": "UK, Great Britain, Britain, England, Scotland, Wales, Northern Ireland, "
          "United Kingdom of Great Britain and Northern Ireland, United Kingdom (UK), United Kingdom (Great Britain)",
    "GM": "The Gambia",
    "GR": "EL, Hellas, Hellenic Republic",
    "HK": "Hong Kong, Hong Kong SAR",
    "HR": "Republic of Croatia",
    "IE": "Republic of Ireland, Eire",
    "IR": "Islamic Republic of Iran, Iran (Islamic Republic of)",
    "IT": "Italian Republic, Repubblica Italiana",
    "KP": "Democratic People's Republic of Korea, DPRK, Korea (Democratic People's Republic of)",
    "KR": "Republic of Korea, Korea (Republic of), Korea South",
    "LA": "Lao People's Democratic Republic, Lao",
    "LT": "Republic of Lithuania",
    "LU": "Grand Duchy of Luxembourg",
    "LV": "Republic of Latvia",
    "MD": "Republic of Moldova, Moldova (Republic of)",
    "MK": "Macedonia, Republic of North Macedonia, FYROM",
    "MM": "Myanmar, Burma",
    "MO": "Macau, Macao",
    "MT": "Republic of Malta",
    "NL": "Holland, The Netherlands, Kingdom of the Netherlands",
    "NZ": "Aotearoa",
    "PH": "The Philippines",
    "PL": "Republic of Poland, Rzeczpospolita Polska",
    "PN": "Pitcairn",
    "PS": "Palestine, State of Palestine, Palestine (State of)",
    "PT": "Portuguese Republic",
    "RU": "Russian Federation",
    "SE": "Kingdom of Sweden",
    "SI": "Republic of Slovenia",
    "SK": "Slovak Republic",
    "SY": "Syrian Arab Republic",
    "SZ": "Swaziland",
    "TL": "East Timor",
    "TR": "Turkey, Turkiye, Republic of Turkey, Republic of Türkiye",
    "TW": "Taiwan Province of China, Taiwan (Province of China), Republic of China",
    "TZ": "United Republic of Tanzania, Tanzania (United Republic of)",
    "UM": "United States Minor Outlying Islands",
    "US": "United States of America, America, United States (US), United States (USA), USA United States",
    "VA": "Holy See, Vatican",
    "VE": "Bolivarian Republic of Venezuela, Venezuela (Bolivarian Republic of)",
    "VG": "Virgin Islands (British)",
    "VI": "Virgin Islands (U.S.), US Virgin Islands, United States Virgin Islands",
    "VN": "Viet Nam",
}


def folded(name):
    return "".join(letter for letter in name.upper() if letter.isalpha())


def plain(name):
    return "".join(letter for letter in unicodedata.normalize("NFD", name) if not unicodedata.combining(letter))


def spellings(name):
    """A name as CLDR has it, and as others write it."""
    for long in {name, name.replace("St. ", "Saint "), name.replace("&", "and")}:
        yield long
        if "&" in long and "St. " in long:
            yield long.replace("&", "and").replace("St. ", "Saint ")
    if "(" in name:  # "Myanmar (Burma)"
        outer, inner = name.rstrip(")").split("(")
        yield from (outer, inner)


def is_simple(name):
    """Whether Python and Rust agree on what its letters are, and folding it needs no other script's rules."""
    return all(unicodedata.name(letter).split()[0] in ("LATIN", "GREEK", "CYRILLIC") for letter in name if letter.isalpha())


def main():
    english = Locale("en").territories
    countries = {code for code in english if len(code) == 2 and code.isalpha()} - NO_COUNTRIES
    entries = {}

    def add(name, code):
        for spelling in (folded(name), folded(plain(name))):
            assert entries.setdefault(spelling, code) == code, f"{name}: {entries[spelling]} or {code}?"

    for code in countries:
        add(code, code)
    for alias, codes in get_global("territory_aliases").items():
        if len(alias) == 3 and alias.isalpha() and len(codes) == 1 and codes[0] in countries:
            add(alias, codes[0])
    for code in countries:
        for spelling in spellings(english[code]):
            add(spelling, code)
    for code, names in ALIASES.items():
        for name in names.split(", "):
            add(name, code)
    for code in sorted(countries):
        languages = list(get_official_languages(code, regional=True)) + (LANGUAGES if code in EVERYWHERE else [])
        for language in languages:
            try:
                name = Locale.parse(language).territories.get(code)
            except UnknownLocaleError:
                continue
            if name and is_simple(name):
                add(name, code)
    lines = [f'    ("{name}", CountryCode(*b"{code}")),\n' for name, code in sorted(entries.items())]
    pathlib.Path(__file__).with_name("names.rs").write_text("[\n" + "".join(lines) + "]\n", encoding="utf-8")
    print(f"{len(countries)} countries, {len(entries)} names")


main()
