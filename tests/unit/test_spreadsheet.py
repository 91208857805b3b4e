"""A cell for a spreadsheet is read back as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processor.spreadsheet import guarded, unguarded
from tests.examples import examples

ODD = st.text(st.sampled_from("'=+-@\t\r\n\v\x85\xa0 \uff1da\""), max_size=6)


@examples(300)
@given(ODD | st.text(st.characters(codec=None)))
def test_any_cell_is_read_back_and_runs_as_no_formula(cell: str) -> None:
    """However many apostrophes and blanks it begins with."""
    assert unguarded(guarded(cell)) == cell
    assert guarded(cell).strip()[:1] not in {*"=+-@\uff1d"}
