"""`cliniko completion`: completion of commands, options and resources by the shell."""

from typing import Literal

from .context import Context, Flag
from .output import write_bytes


def completion(
    shell: Literal["bash", "zsh", "fish"],
    /,
    *,
    install: Flag = False,
    context: Context,
) -> None:
    """Print the completion script of a shell, or install it for you.

    Args:
        shell: The shell.
        install: Write the script where the shell looks for it, and load it when the shell starts.
        context: The options of the command line.
    """
    from .app import app  # noqa: PLC0415  (the app names this module)

    if install:
        path = app.install_completion(shell=shell)
        context.note(f"wrote {path}; open a new shell to use it")
        if shell == "zsh":
            context.note("if nothing is completed then, add this to .zshrc: autoload -Uz compinit && compinit")
    else:
        write_bytes(app.generate_completion(shell=shell).encode() + b"\n")
