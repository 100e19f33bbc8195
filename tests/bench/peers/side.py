"""What the two processes of a run say on standard output, and wait for on
standard input: the same as ``src/side.rs``"""

import os
import sys
import threading


def listening(port):
    """Tell the port of a server; the process ends with its standard input"""
    print(port, flush=True)
    threading.Thread(target=_end, daemon=True).start()


def ready():
    """Tell that a client is connected, and wait until it shall begin"""
    print('ready', flush=True)
    sys.stdin.readline()


def done(**numbers):
    """Tell the numbers of a client, and wait until they were looked at"""
    print(*(f'{name}={number}' for name, number in numbers.items()),
          flush=True)
    sys.stdin.read()


def _end():
    sys.stdin.read()
    os._exit(0)
