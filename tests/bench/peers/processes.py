"""What the scripts need that start whole servers."""

import os
import pathlib
import socket


def free_port():
    with socket.socket() as it:
        it.bind(('127.0.0.1', 0))
        return it.getsockname()[1]


def used(process):
    """Processor time, seconds."""
    fields = pathlib.Path(f'/proc/{process.pid}/stat').read_text().rsplit(') ', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
