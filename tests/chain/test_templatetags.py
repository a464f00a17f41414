"""The tags of every page: escaping, checksums, words beside colours."""

from datetime import UTC, datetime
from enum import Enum, IntEnum

import pytest
from django.template import Context, Template

ADDRESS = bytes.fromhex("f39fd6e51aad88f6f4ce6ab8827279cfffb92266")
CHECKSUM = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
ALT = 10**18


def render(source: str, **context: object) -> str:
    return Template("{% load althing %}" + source).render(Context(context)).replace("\u202f", " ")


@pytest.mark.parametrize("value", [ADDRESS, memoryview(ADDRESS), CHECKSUM, CHECKSUM.lower()])
def test_address_is_checksummed_whatever_comes_in(value: object) -> None:
    page = render("{% address value 'full' %}", value=value)
    assert f">{CHECKSUM}<" in page
    assert f'data-copy="{CHECKSUM}"' in page


def test_short_address_keeps_the_whole_one_within_reach() -> None:
    page = render("{% address value %}", value=ADDRESS)
    assert ">0xf39F…2266<" in page
    assert f'title="{CHECKSUM}"' in page
    assert render("{{ value|short }}", value=ADDRESS) == "0xf39F…2266"


def test_no_address_is_a_dash() -> None:
    assert "\u2013" in render("{% address value %}", value=None)
    assert render("{{ value|checksum }}", value=None) == ""


def test_labels_are_escaped() -> None:
    page = render("{% address value 'full' label=label %}", value=ADDRESS, label="<b>x</b>")
    assert "<b>" not in page
    assert "&lt;b&gt;x" in page


class Slugged(IntEnum):
    ACTIVE = 1

    @property
    def slug(self) -> str:
        return self.name.lower()


class Valued(Enum):
    GOOD = "affirming"


@pytest.mark.parametrize(
    ("state", "tone", "word"),
    [
        ("executed", "good", "Executed"),
        ("Defeated", "bad", "Defeated"),
        (Slugged.ACTIVE, "active", "Active"),
        (Valued.GOOD, "good", "Affirming"),
        ("contraindicated", "bad", "Contraindicated"),
        ("<i>odd</i>", "neutral", "&lt;i&gt;odd&lt;/i&gt;"),
    ],
)
def test_badge_has_a_word_and_a_tone(state: object, tone: str, word: str) -> None:
    page = render("{% badge state %}", state=state)
    assert f"badge-{tone}" in page
    assert f"</span>{word}</span>" in page


def test_badge_takes_own_words() -> None:
    assert "Routine" in render("{% badge 'effective' 'Routine' %}")


@pytest.mark.parametrize(
    ("support", "word"), [(0, "Against"), (1, "For"), (2, "Abstain"), (255, "Split")]
)
def test_vote_choices(support: int, word: str) -> None:
    assert word in render("{% vote_choice support %}", support=support)


def test_times_are_utc_and_machine_readable() -> None:
    at = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    page = render("{% moment at %}", at=at)
    assert 'datetime="2026-05-04T03:02:01Z"' in page
    assert "2026-05-04 03:02 UTC" in page
    assert render("{% moment at %}", at=int(at.timestamp())) == page
    assert render("{% moment at %}", at=None) == "\u2013"


def test_vote_bar_says_in_words_what_it_draws() -> None:
    page = render("{% vote_bar f a b q key=7 %}", f=60 * ALT, a=20 * ALT, b=20 * ALT, q=200 * ALT)
    assert "For 60\u00a0ALT, Abstain 20\u00a0ALT, Against 20\u00a0ALT" in page
    assert "40\u00a0% of the quorum of 200\u00a0ALT" in page
    # The empty half is what the quorum lacks: For takes 60 of 200.
    assert 'x="0.00%" width="30.00%"' in page
    assert 'class="tick" x="100.00%"' in page
    assert "quorum ✓" not in page
    assert "style=" not in page


def test_vote_bar_before_the_first_vote_and_before_the_snapshot() -> None:
    page = render("{% vote_bar 0 0 0 None %}")
    assert "No votes yet" in page
    assert "quorum" not in page


def test_against_alone_does_not_reach_a_quorum() -> None:
    page = render("{% vote_bar 0 a 0 q %}", a=500 * ALT, q=100 * ALT)
    assert "0\u00a0% of quorum" in page
    assert "✓" not in page


def test_timeline_marks_what_is_only_expected() -> None:
    steps = [
        {"label": "Created", "at": datetime(2026, 1, 1, tzinfo=UTC), "done": True, "block": 1234},
        {"label": "Executed", "at": datetime(2026, 1, 9, tzinfo=UTC), "done": False},
        {"label": "Vetoed", "at": None, "done": "bad"},
    ]
    page = render("{% timeline steps %}", steps=steps)
    assert page.count("expected") == 1
    assert "block 1 234" in page
    assert 'data-done="bad"' in page
    assert "not yet known" in page


def test_meter_stays_within_its_ends() -> None:
    assert 'width="0"' in render("{% meter 5 10 20 'below' %}")
    assert 'width="100"' in render("{% meter 50 10 20 'above' %}")
    assert 'aria-label="a &lt;b&gt;"' in render("{% meter 15 10 20 text %}", text="a <b>")


def test_sparkline_needs_two_points() -> None:
    assert "Not enough history" in render("{% sparkline values 'x' %}", values=[1])
    page = render("{% sparkline values 'Power' %}", values=[1, 3, 2])
    assert 'points="0.00,38.00 50.00,2.00 100.00,20.00"' in page


def test_figures_of_nothing_are_dashes() -> None:
    for name in ("amount", "amount_exact", "grouped", "duration", "quantity"):
        assert render(f"{{{{ value|{name} }}}}", value=None) == "\u2013"
    assert render("{{ 1|percent_of:0 }}") == "\u2013"
