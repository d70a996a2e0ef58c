"""Facts for people."""

from agtool.le_staging.cli.lines import lines


def test_a_name_never_touches_its_value() -> None:
    assert list(lines("wrote", "/a", "/b")) == ["wrote      /a", "           /b"]
    assert list(lines("would write", "/a", "/b")) == ["would write /a", "            /b"]
