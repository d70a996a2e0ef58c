"""What is printed for monitoring, as Prometheus' own parser reads it."""

from collections import Counter
from datetime import datetime, timedelta, timezone

from prometheus_client.parser import text_string_to_metric_families

from agtool.core.command import Format
from agtool.core.finding import Finding
from agtool.le_staging.cli.formats import Case, formatted

END = datetime(2026, 12, 1, tzinfo=timezone.utc)


def case(verdict: str, *codes: str, name: str = "shop.test", days: int | None = 0) -> Case:
    """A case with these problems."""
    end = None if days is None else END + timedelta(days=days)
    found = [Finding(code, "it is so", "") for code in codes]
    return Case(name, verdict, not codes, found, found, end, 0.1)


def series(*cases: Case) -> dict[tuple[str, ...], float]:
    """All of them by their name and labels; each is there once."""
    text = "\n".join(formatted(Format.prometheus, cases, fail=False)) + "\n"
    found = [
        ((sample.name.removeprefix("agtool_le_staging_"), *sample.labels.values()), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert set(Counter(key for key, _ in found).values()) == {1}
    return dict(found)


def test_a_host_that_two_objects_name_is_one_series_with_the_worst() -> None:
    """As of two Ingresses with Secrets of their own, of which one has another CA's."""
    good, bad = case("STAGING", days=9), case("FAILED", "expired", "wrong-name", days=3)
    other = case("FAILED", "expired", "no-secret", days=None)
    expected: dict[tuple[str, ...], float] = {
        ("as_expected", "shop.test"): 0,
        ("as_expected", "b.test"): 1,
        ("verdict", "shop.test", "FAILED"): 1,
        ("verdict", "b.test", "STAGING"): 1,
        ("not_after_timestamp_seconds", "shop.test"): (END + timedelta(days=3)).timestamp(),
        ("not_after_timestamp_seconds", "b.test"): END.timestamp(),
    }
    for code in ("expired", "wrong-name", "no-secret"):
        expected |= {("problem", "shop.test", code): 1, ("warning", "shop.test", code): 1}
    for cases in ((good, bad, other), (bad, other, good), (good, other, bad)):
        assert series(*cases, case("STAGING", name="b.test")) == expected


def test_names_that_differ_only_in_what_cannot_be_shown_are_one_series() -> None:
    assert series(case("STAGING", name="a\x1b"), case("STAGING", name="a\x1c"))
