"""The page's modules hold the types that their comments state, and can be put together into one script."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from manabackup.model.registry import formats_folder
from manabackup.viewer import page
from manabackup.viewer.scripts import ScriptError, bundle

FORMAT = formats_folder() / "mana-v2.md"
TOOLS = Path(__file__).with_name("tools")
TSC = TOOLS / "node_modules" / ".bin" / "tsc"


def test_the_types_in_the_comments_hold() -> None:
    if not TSC.exists() or shutil.which("node") is None:
        reason = "needs node and TypeScript: `make viewer-tools`"
        if os.environ.get("MANABACKUP_BROWSERS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run([str(TSC), "--project", str(TOOLS)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr


def test_the_page_holds_every_module_and_every_style_as_they_were_written() -> None:
    whole = page.code().before + page.code().between + page.code().behind
    for path, text in page.sources().items():
        if path.endswith(".css"):
            assert text.encode() in whole, path
        elif path.endswith(".js") and "\nexport {};" not in text:  # those hold types alone
            lines = [line for line in text.splitlines() if line.startswith("  ")]
            assert all(line.encode() in whole for line in lines), path


def test_a_policy_names_the_script_and_the_style_and_nothing_else() -> None:
    head = page.code().before.decode()
    policy = head.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    directives = {name: values for name, *values in (part.split() for part in policy.split(";"))}
    assert directives["default-src"] == ["'none'"]
    assert [len(directives[name]) for name in ("script-src", "style-src")] == [1, 1]
    assert all(directives[name][0].startswith("'sha256-") for name in ("script-src", "style-src"))
    assert directives["img-src"] == ["data:", "blob:"]
    for name in ("connect-src", "form-action", "base-uri"):
        assert directives[name] == ["'none'"]
    assert "unsafe" not in policy
    assert head.index("<meta charset") < head.index("Content-Security-Policy") < head.index("<style>")


@pytest.mark.parametrize(
    ("modules", "fault"),
    [
        ({"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}, "imports itself"),
        ({"a.js": 'import b from "./b.js";\n', "b.js": ""}, "not understood"),
        ({"a.js": "export default 1;\n"}, "not understood"),
        ({"a.js": 'const text = "</script>";\n'}, "a tag"),
        ({"a.js": 'const text = "<!--";\n'}, "a tag"),
    ],
)
def test_what_could_not_be_put_together_as_it_means_is_refused(modules: dict[str, str], fault: str) -> None:
    with pytest.raises(ScriptError, match=fault):
        bundle("a.js", modules.__getitem__)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_modules_that_were_put_together_do_what_they_did_apart() -> None:
    modules = {
        "main.js": 'import { twice as double, Count } from "./deep/er.js";\n'
        "console.log(double(20) + new Count().one);\n",
        "deep/er.js": 'import {\n  one,\n} from "../one.js";\nexport const twice = (n) => n * 2;\n'
        "class Count {\n  one = one();\n}\nexport { Count };\n",
        "one.js": "export function one() {\n  return 1;\n}\n",
    }
    script = bundle("main.js", modules.__getitem__)
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert done.stdout == "41\n"


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_page_has_words_for_every_loss_that_the_format_has(language: str) -> None:
    said = page.sources()[f"words/{language}.js"]
    table = FORMAT.read_text().partition("A *loss* is")[2].partition("A *notice* loses")[0]
    kinds = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert len(kinds) > 10
    keys = [f"loss{kind[0].upper()}{kind[1:]}" for kind in kinds]
    assert [key for key in keys if not re.search(rf"^  {key}:", said, re.MULTILINE)] == []
