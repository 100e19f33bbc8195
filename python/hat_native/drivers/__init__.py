"""Drivers: `net`, `tcp`, `tpkt`, `cotp` and `chatter`, as in `hat.drivers`."""
