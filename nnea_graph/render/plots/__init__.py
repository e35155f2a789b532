"""Matplotlib figures."""

import logging

# Where nothing listens to it, it would tell stderr about its caches.
logging.getLogger("matplotlib").addHandler(logging.NullHandler())
