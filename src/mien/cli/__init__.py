"""The command `mien`: it parses, then imports inside each command.

Importing this package touches nothing but Typer and light parts of the standard library, so that
`mien --help` answers at once and a command never loads what another one needs. A new command
follows this pattern, and `mien.cli.commands` lists it::

    def live(
        source: Annotated[str, typer.Argument(help="Camera, file or URL.")] = "0",
    ) -> None:
        '''Show the emotions of the faces in a live video.'''  # what `mien --help` prints
        from mien.live.run import run_live  # never at the top of the module
        from mien.recognizer import Recognizer

        run_live(source, Recognizer(), say=typer.echo)

A command raises and never prints an error of its own: `main` turns every exception into one line
on standard error and an exit code (2 for misuse or bad input, 1 for a failure of ours), and a
missing optional package into the `pip install` that brings it.
"""

from mien.cli.commands import app
from mien.cli.run import main, run_on_trained_network

__all__ = ["app", "main", "run_on_trained_network"]
