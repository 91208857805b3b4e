"""Sets of keys shaped like real buckets: eight kinds of names, each uneven in its own way."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_COUNTRIES = ("AT", "BR", "CH", "DE", "ES", "FR", "GB", "IN", "JP", "MX", "NL", "PL", "SE", "US", "ZA")
_FIRST_NAMES = [
    "anna",
    "bob",
    "carla",
    "david",
    "elena",
    "farid",
    "greta",
    "hugo",
    "ines",
    "jan",
    "karin",
    "lee",
    "maria",
    "nils",
    "olga",
    "pedro",
    "quinn",
    "rosa",
    "sven",
    "tomas",
    "ursula",
    "victor",
    "wei",
    "yara",
]
_LAST_NAMES = [
    "Abend",
    "Brandt",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Huber",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Lopez",
    "Martin",
    "Novak",
    "O'Neil",
    "Petrov",
    "Quist",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Ueda",
    "Vogel",
    "Weber",
    "Xu",
    "Yilmaz",
    "Zimmer",
]
_MAIL_HOSTS = ("example.com", "example.org", "mail.example.net", "post.example.de", "corp.example")


def hive_partitions(count: int) -> list[str]:
    """Return tables partitioned by day and country, with part files named by UUID."""
    rng, found = random.Random(21), list[str]()
    day = datetime(2024, 1, 1)  # noqa: DTZ001 - only a name
    countries = {country: rng.paretovariate(1.2) for country in _COUNTRIES}
    while len(found) < count:
        for country, weight in countries.items():
            folder = f"warehouse/orders/dt={day:%Y-%m-%d}/country={country}"
            for part in range(1 + int(weight * rng.uniform(10, 30))):
                found.append(f"{folder}/part-{part:05d}-{_uuid(rng)}.c000.snappy.parquet")
        day += timedelta(days=1)
    return sorted(found[:count])


def pareto_invoices(count: int) -> list[str]:
    """Return tenants, each with its invoices by year and number; few tenants have most of them."""
    rng, found = random.Random(22), list[str]()
    while len(found) < count:
        tenant = f"tenants/{rng.choice('abcdefghijklmnopqrstuvwxyz')}{rng.randrange(10**5):05d}"
        for number in range(min(count // 8, int(20 * rng.paretovariate(0.9)))):
            found.append(f"{tenant}/invoices/{2019 + number * 7 // (number + 40)}/INV-{number:07d}.pdf")
    return sorted(set(found[:count]))


def satellite_days(count: int) -> list[str]:
    """Return satellite products by year, day of the year and tile."""
    rng, found = random.Random(23), set[str]()
    tiles = [
        f"T{rng.randrange(1, 61):02d}{rng.choice('CDEFGHJKLMNPQRSTUVWX')}{rng.choice('ABCDEFGH')}" for _ in range(900)
    ]
    while len(found) < count:
        year, day = rng.choice((2021, 2022, 2022, 2023, 2023, 2023, 2024)), rng.randrange(1, 366)
        folder = f"products/L2A/{year}/{day:03d}"
        for tile in rng.sample(tiles, 40):
            second = rng.randrange(86400)
            stamp = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
            for band in ("B02", "B03", "B04", "B08", "TCI"):
                found.add(f"{folder}/{tile}/S2B_MSIL2A_{year}{day:03d}T{stamp}_{tile}_{band}_10m.jp2")
    return sorted(found)[:count]


def crawl_segments(count: int) -> list[str]:
    """Return a crawl's archives: weekly crawls, segments named by milliseconds, numbered files."""
    rng, found = random.Random(24), list[str]()
    week = 4
    while len(found) < count:
        crawl = f"crawl-data/CC-MAIN-{2018 + week // 52}-{week % 52 + 1:02d}"
        for segment in sorted(rng.randrange(15 * 10**11, 15 * 10**11 + 10**9) for _ in range(100)):
            folder = f"{crawl}/segments/{segment}.{rng.randrange(100)}"
            for kind in ("crawldiagnostics", "robotstxt", "warc", "wat", "wet"):
                for part in range(rng.randrange(90, 110)):
                    name = f"CC-MAIN-{segment}-{segment + 17000}-{part:05d}"
                    found.append(f"{folder}/{kind}/{name}.{kind[:4]}.gz")
        week += rng.choice((4, 5))
    return sorted(found[:count])


def mail_by_time(count: int) -> list[str]:
    """Return mails under the receiver's address, named by time; few receivers get most of them."""
    rng, found = random.Random(25), set[str]()
    begin = datetime(2022, 3, 1)  # noqa: DTZ001 - only a name
    while len(found) < count:
        who = f"{rng.choice(_FIRST_NAMES)}.{rng.choice(_LAST_NAMES).lower()}{rng.choice(('', '', '1', '77'))}"
        address = f"{who}@{rng.choice(_MAIL_HOSTS)}"
        for _ in range(min(count // 20, int(30 * rng.paretovariate(0.8)))):
            at = begin + timedelta(seconds=rng.random() * 1000 * 86400)
            found.add(f"mail/{address}/{at:%Y-%m-%dT%H-%M-%S}-{rng.getrandbits(32):08x}.eml")
    return sorted(found)[:count]


def human_scans(count: int) -> list[str]:
    """Return scans as people name them: spaces, capitals, dates in three fashions, copies."""
    rng, found = random.Random(26), set[str]()
    while len(found) < count:
        at = datetime(2015, 1, 1) + timedelta(days=int(4000 * rng.random() ** 0.6))  # noqa: DTZ001 - only a name
        person = f"{rng.choice(_LAST_NAMES)} {rng.choice(_FIRST_NAMES).title()}"
        name = rng.choice(
            (
                f"Scans/{at.year}/{person}/Scan_{at:%d%m%Y}_{rng.randrange(10**4):04d}.pdf",
                f"Scans/{at.year}/{person}/{person} {at:%Y-%m-%d} ({rng.randrange(1, 200)}).pdf",
                f"Scans/{at.year}/IMG_{at:%Y%m%d}_{rng.randrange(240000):06d}.pdf",
                f"Scans/Inbox/Document {rng.randrange(1, count)}.pdf",
            )
        )
        found.add(name)
    return sorted(found)


def isbn_tree(count: int) -> list[str]:
    """Return books by ISBN: group, publisher and title as folders, publishers of very different sizes."""
    rng, found = random.Random(27), set[str]()
    groups = (
        (["0", "1"], 7),
        (["2"], 2),
        (["3"], 3),
        (["4", "7"], 1),
        (["80", "87", "88", "91"], 1),
        (["606", "950"], 1),
    )
    while len(found) < count:
        kinds, _ = rng.choices(groups, [weight for _, weight in groups])[0]
        group, digits = rng.choice(kinds), rng.choice((2, 3, 4, 5))
        publisher = f"{rng.randrange(10**digits):0{digits}d}"
        for _ in range(min(count // 30, int(8 * rng.paretovariate(0.8)))):
            width = max(2, 9 - len(group) - digits)
            title = f"{rng.randrange(10**width):0{width}d}"
            check = sum(map(int, group + publisher + title)) % 10
            found.add(f"isbn/978/{group}/{publisher}/{title}/978-{group}-{publisher}-{title}-{check}.pdf")
    return sorted(found)[:count]


def mixture(count: int) -> list[str]:
    """Return a bucket that holds all seven other kinds beside each other, the first ones the largest."""
    kinds = (hive_partitions, pareto_invoices, satellite_days, crawl_segments, mail_by_time, human_scans, isbn_tree)
    shares = (0.28, 0.2, 0.16, 0.12, 0.1, 0.08, 0.06)
    return sorted(key for kind, share in zip(kinds, shares, strict=True) for key in kind(int(count * share)))


def _uuid(rng: random.Random) -> uuid.UUID:
    return uuid.UUID(int=rng.getrandbits(128), version=4)


SHAPES: dict[str, Callable[[int], list[str]]] = {
    make.__name__: make
    for make in (
        hive_partitions,
        pareto_invoices,
        satellite_days,
        crawl_segments,
        mail_by_time,
        human_scans,
        isbn_tree,
        mixture,
    )
}
