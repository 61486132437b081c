"""``completion``: what lets a shell complete this program's command lines."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

from . import overview
from .frame import command
from .run import Run


@command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(run: Run, shell: str) -> None:
    """Print what lets a shell complete commands, options, files, apps, tables and profiles.

    \b
    bash: eval "$(manabackup completion bash)"       in ~/.bashrc
    zsh:  eval "$(manabackup completion zsh)"        in ~/.zshrc, after compinit
    fish: manabackup completion fish | source        in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(click.get_current_context().find_root().command, {}, overview.PROGRAM, overview.COMPLETION)
    # click's own for bash asks a bash for its version first; there may be none here.
    run.terminal.text(f"{ShellComplete.source(made).strip()}\n")
