"""Examples in docstrings of optional frameworks run where these are installed."""

from importlib.util import find_spec

NEEDS = {
    "sklearn_transrate/extractors/sentence.py": "sentence_transformers",
    "sklearn_transrate/extractors/timm.py": "timm",
    "sklearn_transrate/extractors/torch.py": "torch",
    "sklearn_transrate/extractors/transformers.py": "transformers",
}
collect_ignore = [path for path, name in NEEDS.items() if find_spec(name) is None]
