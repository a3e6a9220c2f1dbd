"""Models that are loaded by name: once, when needed, and never pickled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

__all__ = ["LoadsByName"]

# By what was asked for. Clones share an object as long as one of them lives.
_LOADED: WeakValueDictionary = WeakValueDictionary()


class LoadsByName:
    """Mixin of extractors whose model may be a name."""

    def _loaded(self, kind: str, name: str, load: Callable[[str], Any]) -> Any:
        """Return what was loaded under a name, and hold it as long as this lives."""
        held = vars(self).setdefault("_held", {})
        key = (kind, name)
        if key not in held:
            found = _LOADED.get(key)
            held[key] = load(name) if found is None else found
            _LOADED[key] = held[key]
        return held[key]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_held", None)
        return state
