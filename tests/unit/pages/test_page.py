"""What a page tells its reader to type is found with its place; a page where that is not clear is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.step import Failure
from tests.pages.page import COMPUTER, DOCS, PI, README, Block, blocks, command, shown

PAGE = """# Title

Text.

## Use it

First, on your
computer, in the checkout:

```sh
make thing    # it's made
# a remark

run 'a # b' "c"
```

Then on the Pi:

```sh
kafka tail
```

```text
$ not typed
said [...]
```

## Not here

```sh
# not run by our tests: it takes a card
dd if=image
```
"""


def read(folder: Path, text: str) -> list[Block]:
    page = folder / "page.md"
    page.write_text(text)
    return blocks(page)


def test_commands_are_found_with_their_place_section_and_reason(tmp_path: Path) -> None:
    first, second, third = read(tmp_path, PAGE)
    assert first.lines == ["make thing    # it's made", "run 'a # b' \"c\""]
    assert (first.name, first.section, first.place, first.in_checkout) == ("page.md:10", "Use it", COMPUTER, True)
    assert (second.lines, second.place, second.in_checkout) == (["kafka tail"], PI, False)
    assert (third.lines, third.section, third.not_run) == (["dd if=image"], "Not here", "it takes a card")
    assert (first.not_run, second.not_run) == ("", "")


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("kafka tail    # as they arrive", "kafka tail"),
        ("cp a b  # your Pi's address", "cp a b"),
        ("pip install 'a>=2' b", "pip install 'a>=2' b"),
        ("echo '# no comment'", "echo '# no comment'"),
        ("# only a comment", ""),
        ("", ""),
    ],
)
def test_a_comment_is_none_of_the_command(line: str, typed: str) -> None:
    assert command(line) == typed


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("Type this:", "it has neither"),
        ("On the Pi or on your computer:", "it has on the Pi and on your computer"),
        ("On the Pi:\n\n```text\nshown\n```", "it has neither"),
        ("On the Pi:\n\n## Next", "it has neither"),
    ],
)
def test_a_block_whose_place_a_reader_cannot_tell_is_refused(tmp_path: Path, before: str, reason: str) -> None:
    (one,) = read(tmp_path, f"{before}\n\n```sh\nls\n```\n")
    with pytest.raises(Failure, match=f"^page.md:[0-9]+: where is it typed: the paragraph before {reason};"):
        assert one.place


@pytest.mark.parametrize("opening", ["```", "```bash", "```console", "    "])
def test_a_block_that_may_hide_commands_is_refused(tmp_path: Path, opening: str) -> None:
    with pytest.raises(Failure, match=r"^page.md:[34]: are these commands"):
        read(tmp_path, f"On the Pi:\n\n{opening}\n    ls\n```\n")


def test_no_reason_is_no_reason(tmp_path: Path) -> None:
    (one,) = read(tmp_path, "```sh\n# not run by our tests: \nls\n```\n")
    assert not one.not_run


def test_output_is_found_by_its_beginning(tmp_path: Path) -> None:
    read(tmp_path, PAGE)
    assert shown(tmp_path / "page.md", "$ not") == ["$ not typed", "said [...]"]


@pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)
def test_of_each_block_a_page_says_where_it_is_typed_or_why_our_tests_leave_it_out(page: Path) -> None:
    assert [block.name for block in blocks(page) if not (block.not_run or block.place)] == []
