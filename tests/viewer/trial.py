"""A page without screens: the policy, the worker and the store of the real one, for tests to call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manabackup.viewer import page
from tests.viewer.reading import private_fields

_APP = """
import { SealedBody, openOuter, openPlain } from "./reader/archive.js";
import { ArchiveProblem } from "./reader/problem.js";
import { rowBlocks } from "./reader/rows.js";
import { BlobSource } from "./reader/source.js";
import { verify } from "./reader/verify.js";
import { found } from "./reading.js";
import { Store } from "./store/client.js";

const reader = { ArchiveProblem, BlobSource, SealedBody, openOuter, openPlain, rowBlocks, verify };

export function start(given) {
  const input = document.createElement("input");
  input.type = "file";
  input.id = "choose";
  document.body.append(input);
  const violations = [];
  document.addEventListener("securitypolicyviolation", (event) => violations.push(event.effectiveDirective));
  globalThis.trial = { ArchiveProblem, Store, found, given, input, reader, violations };
}
"""


def trial_code() -> page.Code:
    """The real page's code with another ``app.js``."""
    files = page.sources()
    files["app.js"] = _APP
    files["reading.js"] = Path(__file__).with_name("reading.js").read_text()
    return page.assemble(files, page.modules())


def write_trial(path: Path, archive: Path | None = None) -> None:
    """The page, with an archive inside or without one."""
    code = trial_code()
    content = b"" if archive is None else b"".join(page.base64_lines(archive.read_bytes()))
    about = page.about(code.digest(), "0", None if archive is None else archive.name)
    path.write_bytes(code.before + about + code.between + content + code.behind)


def asked(files: list[tuple[Path, str | None]]) -> list[Any]:
    """Arguments of :data:`READ`."""
    import base64

    return [
        [[base64.b64encode(path.read_bytes()).decode(), passphrase or ""] for path, passphrase in files],
        private_fields(),
    ]


READ = """async (archives, privateFields) => {
  const results = [];
  for (const [base64, passphrase] of archives) {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    results.push(await trial.found(trial.reader, new Blob([bytes]), passphrase, (table) => privateFields[table] ?? []));
  }
  return results;
}"""
"""Reads archives by the page's reader, without the store."""
