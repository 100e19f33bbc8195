"""Peer with today's deployed software.

Layers ``chatter``, ``tpkt``, ``cotp`` and ``mms`` (hat-drivers), ``eventer``
(hat-event), ``sbs`` (hat-sbs) and ``json`` (hat-json).
"""

import lines
import today_chatter
import today_eventer
import today_iso
import today_juggler
import today_json
import today_mms
import today_sbs


def main():
    """Entry point"""
    lines.run('hat-event 0.9',
              lambda session: {'chatter': today_chatter.Chatter(session),
                               'eventer': today_eventer.Eventer(session),
                               'json': today_json.Json(),
                               'juggler': today_juggler.Juggler(session),
                               'mms': today_mms.Mms(session),
                               'sbs': today_sbs.Sbs(),
                               **today_iso.layers(session)})


if __name__ == '__main__':
    main()
