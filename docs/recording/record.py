#!/usr/bin/env python3
"""Records a terminal that shows what `hat` does, as an asciicast (version 2).

    cargo build --release -p hat-cli
    docs/recording/record.py target/release/hat docs/recording/hat.cast
    asciinema play docs/recording/hat.cast

It types the commands below into a real shell on a real terminal, and writes down what comes with the
time that it came. Nothing is made up: run it again when the output changes.
"""

import json
import os
import pty
import select
import shutil
import sys
import tempfile
import time
import fcntl
import struct
import termios

COLUMNS, ROWS = 100, 28

# what is typed, and how long one looks at what comes of it, in seconds
SCENES = [
    ("# an event server, in memory", 0.5),
    ("hat serve &", 1.5),
    ("# somebody follows the boiler, from the last hour on", 0.5),
    ("hat subscribe 'plant/boiler/*' --from -1h --format '{timestamp} {type} {/celsius}' &", 1.0),
    ("echo '{\"celsius\": 81.5}' | hat register plant/boiler/inlet", 1.0),
    ("printf 'celsius,pump\\n82.1,true\\n82.4,false\\n' | hat register plant/boiler/outlet --input csv", 1.5),
    ("hat query latest 'plant/*' --format table", 2.0),
    ("# is everything well on the way there?", 0.5),
    ("hat doctor", 3.0),
    ("# how much does it take, and how fast?", 0.5),
    ("hat load --seconds 3 --clients 2 --batch 10 --follow", 5.0),
    ("hat top --once 2 | head -8", 4.0),
    ("kill %2 %1; wait", 1.5),
]


def main() -> None:
    program, cast = os.path.abspath(sys.argv[1]), sys.argv[2]
    folder = tempfile.mkdtemp()
    os.symlink(program, os.path.join(folder, "hat"))
    environment = {
        "PATH": folder + os.pathsep + os.environ["PATH"],
        "HOME": folder,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "PS1": "$ ",
    }
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile"], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    start = time.monotonic()
    events = []

    def look(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([terminal], [], [], left)[0]:
                try:
                    data = os.read(terminal, 65536)
                except OSError:
                    return
                events.append([time.monotonic() - start, "o", data.decode(errors="replace")])

    look(0.5)
    for text, seconds in SCENES:
        for character in text:
            os.write(terminal, character.encode())
            look(0.02)
        os.write(terminal, b"\r")
        look(seconds)
    os.write(terminal, b"exit\r")
    look(1.0)
    os.close(terminal)
    os.waitpid(child, 0)
    shutil.rmtree(folder)
    header = {
        "version": 2,
        "width": COLUMNS,
        "height": ROWS,
        "title": "hat: an event server and its clients",
        "env": {"SHELL": "/bin/bash", "TERM": "xterm-256color"},
    }
    with open(cast, "w", encoding="utf-8") as file:
        for line in [header, *events]:
            if isinstance(line, list):
                line[0] = round(line[0], 3)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
