"""`wireproof completion`: the script that teaches a shell to complete our commands, options and names."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  wireproof completion bash > ~/.local/share/bash-completion/completions/wireproof
    zsh:   wireproof completion zsh  > a folder of $fpath, as _wireproof
    fish:  wireproof completion fish > ~/.config/fish/completions/wireproof.fish
    """  # noqa: D301 - click's sign for lines that stay as they are
    from click.shell_completion import get_completion_class

    from lab.cli.main import cli

    maker = get_completion_class(shell)
    assert maker is not None
    click.echo(maker(cli, {}, "wireproof", "_WIREPROOF_COMPLETE").source())
