"""The Hat communication protocols on Rust state machines, under the names of the deployed modules.

::

    import hat_native
    hat_native.install()

    from hat.event import eventer  # ours

Without `install`, the same modules are `hat_native.sbs`, `hat_native.drivers`, `hat_native.event`, `hat_native.juggler`,
and for older generations `hat_native.juggler05`, `hat_native.chatter05` and `hat_native.sbs06`.

"""

import importlib
import sys

if sys.version_info < (3, 12):
    # later versions refuse it themselves
    _interpreters = importlib.import_module('_xxsubinterpreters')
    if _interpreters.get_current() != _interpreters.get_main():
        raise ImportError('hat_native does not support loading in subinterpreters')

from hat_native._install import install, install_from_environment, report
from hat_native._native import __version__


__all__ = ['__version__', 'install', 'install_from_environment', 'report']
