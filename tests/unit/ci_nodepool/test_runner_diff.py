"""What a person sees of an edit, and that it is no secret."""

from agtool.ci_nodepool.runner.diff import diff
from agtool.ci_nodepool.runner.edit import edit
from agtool.ci_nodepool.runner.placement import Tables

WANTED = Tables({"pool": "spot"}, {"pool=spot": "NoSchedule"})

SECRETIVE = """\
[[runners]]
  # token = "secret-1"
  token = "secret-2"  # secret-3
  environment = ["A=secret-4"]
  pre_build_script = '''
echo secret-5
password=secret-6
'''
  "secret # key" = "secret-7"
  limit = 4  # "secret-8" 'secret-8
  [runners.kubernetes]  # secret-9
    namespace = "ci"
    privileged = true
    bearer_token = "secret-A"
    labels = { a = "secret-B" }
"""


def test_it_shows_the_place_and_no_secret() -> None:
    text = diff(SECRETIVE, edit(SECRETIVE, WANTED)[0], "gitlab/runner")
    assert "secret-" not in text
    assert text.splitlines()[:2] == ["--- gitlab/runner (now)", "+++ gitlab/runner (new)"]
    assert [line for line in text.splitlines()[2:] if line[0] == "+"] == [
        "+    [runners.kubernetes.node_selector]",
        '+      "pool" = "spot"',
        "+    [runners.kubernetes.node_tolerations]",
        '+      "pool=spot" = "NoSchedule"',
    ]
    assert "     privileged = true" in text.splitlines()
    assert '     bearer_token = "..."' in text.splitlines()


def test_all_of_a_secretive_template() -> None:
    # Everything is new, so that every line is shown.
    text = diff("[[runners]]\n", SECRETIVE, "x")
    assert "secret-" not in text
    assert '+    namespace = "ci"' in text
    assert '+    labels = { a = "..." }' in text
    assert "+  limit = 4" in text


def test_an_inline_table_shows_what_is_added() -> None:
    before = '[[runners]]\n  kubernetes = { image = "x", bearer_token = "secret-1" }\n'
    text = diff(before, edit(before, WANTED)[0], "x")
    assert "secret-" not in text
    assert 'node_selector = { "pool" = "spot" }' in text
