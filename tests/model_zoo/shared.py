"""Where the models and data are that lie beside the checkout, or in NNEA_SHARED; both may be absent."""

from __future__ import annotations

import os
from pathlib import Path

SHARED = Path(os.environ.get("NNEA_SHARED", Path(__file__).parents[3] / "shared"))
CORPUS = SHARED / "corpus"

CORPUS_NAMES = [
    "basic-pitch",
    "magika",
    "minilm-int8",
    "ppocr-cls",
    "ppocr-det",
    "ppocr-rec",
    "romanizer-decoder",
    "romanizer-encoder",
    "silero-vad",
    "silero-vad-sequence",
]
