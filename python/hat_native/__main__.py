"""``python -m hat_native PROGRAM ARGUMENT …``: runs a Python program with our modules in the place of the deployed ones.

`PROGRAM` is a script's path, the name of a command that a package installed (``hat-event-server``), or ``-m`` and a module.

"""

from __future__ import annotations

import os
import runpy
import shutil
import sys

import hat_native


USAGE = """\
usage: python -m hat_native [--report] PROGRAM [ARGUMENT ...]
       python -m hat_native [--report] -m MODULE [ARGUMENT ...]

Runs a Python program with hat_native's modules in the place of the deployed
hat.drivers, hat.event.eventer, hat.juggler and hat.sbs.

PROGRAM is a script, or a command that a package installed beside this Python,
such as hat-event-server. With --report alone, says which module runs what.
"""


def main() -> None:
    """Run a program with our modules"""
    arguments = sys.argv[1:]
    hat_native.install()
    # for interpreters that the program starts in its turn, as `multiprocessing` does it
    os.environ['HAT_NATIVE'] = '1'

    if arguments[:1] == ['--report']:
        for name, module in hat_native.report().items():
            print(f'{name:32} {module}', file=sys.stderr)
        arguments = arguments[1:]
        if not arguments:
            return

    if not arguments or arguments[0] in ('-h', '--help'):
        print(USAGE, end='', file=sys.stderr if not arguments else sys.stdout)
        sys.exit(0 if arguments else 2)

    if arguments[0] == '-m':
        if len(arguments) < 2:
            print(USAGE, end='', file=sys.stderr)
            sys.exit(2)
        sys.argv = arguments[1:]
        _first_on_path(os.getcwd())
        runpy.run_module(arguments[1], run_name='__main__', alter_sys=True)
        return

    program = _find(arguments[0])
    if program is None:
        print(f'hat_native: no script or command {arguments[0]}', file=sys.stderr)
        sys.exit(127)
    sys.argv = [program, *arguments[1:]]
    _first_on_path(os.path.dirname(os.path.abspath(program)))
    runpy.run_path(program, run_name='__main__')


def _first_on_path(folder: str) -> None:
    """As the interpreter does for what it starts itself, which is not at all in its safe mode."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _find(program: str) -> str | None:
    if os.path.exists(program):
        return program
    return shutil.which(program, path=os.path.dirname(sys.executable)) or shutil.which(program)


if __name__ == '__main__':
    main()
