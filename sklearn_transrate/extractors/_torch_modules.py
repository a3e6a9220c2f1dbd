"""Modules: their names in forward order, blocks, devices, and leaving them as found."""

from __future__ import annotations

import hashlib
import pickle
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

__all__ = [
    "block_names",
    "evaluating",
    "float_type",
    "function_digest",
    "is_weighted",
    "mixed_type",
    "module_digest",
    "named_layers",
    "on_device",
    "unwrap",
    "where_is",
]

_LOCKS: WeakKeyDictionary = WeakKeyDictionary()
_NEW_LOCK = threading.Lock()
_MIXED = ("float16", "bfloat16")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def unwrap(module: Any) -> Any:
    """Return the module inside the wrappers of torch.compile and data parallelism."""
    from torch.nn.parallel import DataParallel, DistributedDataParallel

    while True:
        if hasattr(module, "_orig_mod"):
            module = module._orig_mod
        elif isinstance(module, DataParallel | DistributedDataParallel):
            module = module.module
        else:
            return module


# -- names ---------------------------------------------------------------------


def named_layers(module: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield paths and modules below this one, each after what it is made of.

    That is the order in which they finish, where modules are registered in the order
    in which they run. Lists and dicts of modules, which never run themselves, are
    left out; a module that has two paths gets the first.
    """
    yield from _named_layers(module, prefix, set())


def _named_layers(module: Any, prefix: str, seen: set) -> Iterator[tuple[str, Any]]:
    for name, child in module.named_children():
        # Parametrizations compute weights, not activations.
        if id(child) in seen or name == "parametrizations":
            continue
        seen.add(id(child))
        yield from _named_layers(child, f"{prefix}{name}.", seen)
        if _can_run(child):
            yield prefix + name, child


def _can_run(module: Any) -> bool:
    from torch.nn import Module

    return type(module).forward is not Module.forward or "forward" in vars(module)


def block_names(module: Any) -> list[str]:
    """Return the paths of the blocks that a model is a stack of.

    Blocks are the modules with parts and weights that stand in a Sequential, a
    ModuleList or a ModuleDict, such as residual and transformer blocks; of stages
    that are such stacks themselves, the blocks inside. Without any, the last layer of
    each run of layers that begins with a weighted one, as in convolution,
    normalisation, activation.
    """
    return list(_stacked(module, "")) or _ends_of_runs(module)


def _stacked(module: Any, prefix: str) -> Iterator[str]:
    for name, child in module.named_children():
        path = prefix + name
        is_block = _is_container(module) and _is_composite(child) and _n_weighted(child)
        if is_block and not _is_container(child) and not _has_stack(child):
            yield path
        else:
            yield from _stacked(child, f"{path}.")


def _ends_of_runs(module: Any) -> list[str]:
    ends: list[str] = []
    for path, child in _flattened(module, ""):
        if _is_composite(child) or is_weighted(child):
            ends.append(path)
        elif ends and not _passes_on(child):
            ends[-1] = path
    return ends


def _flattened(module: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, child in module.named_children():
        if _is_container(child):
            yield from _flattened(child, f"{prefix}{name}.")
        else:
            yield prefix + name, child


def _has_stack(module: Any) -> bool:
    """Whether a container inside holds blocks, rather than the steps of one block.

    Blocks are alike, or some are, and each has several weighted layers.
    """
    for part in module.modules():
        children = list(part.children())
        if part is module or not _is_container(part) or len(children) < 2:
            continue
        if not all(map(_is_composite, children)):
            continue
        n_kinds = len({type(child) for child in children})
        are_rich = all(_n_weighted(child) > 1 for child in children)
        if n_kinds == 1 or (n_kinds < len(children) and are_rich):
            return True
    return False


def _is_container(module: Any) -> bool:
    from torch.nn import ModuleDict, ModuleList, Sequential

    return isinstance(module, Sequential | ModuleList | ModuleDict)


def _passes_on(module: Any) -> bool:
    """Whether a module changes nothing in evaluation mode."""
    from torch.nn import Identity
    from torch.nn.modules.dropout import _DropoutNd

    return isinstance(module, Identity | _DropoutNd)


def _is_composite(module: Any) -> bool:
    return next(module.children(), None) is not None


def _n_weighted(module: Any) -> int:
    return sum(map(is_weighted, module.modules()))


def is_weighted(module: Any) -> bool:
    """Whether a module has a matrix of weights of its own; norms have only vectors."""
    return any(weight.ndim > 1 for weight in module.parameters(recurse=False))


# -- devices -------------------------------------------------------------------


def where_is(module: Any) -> Any:
    """Return the device of the first weight; the CPU where there is none."""
    import torch

    weight = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if weight is None else weight.device


def float_type(module: Any) -> Any:
    """Return the floating type that a module computes in; None where it is open."""
    weights = chain(module.parameters(), module.buffers())
    return next((w.dtype for w in weights if w.is_floating_point()), None)


def mixed_type(dtype: Any, device: str) -> Any:
    """Return the type of mixed precision, or None for none."""
    import torch

    if dtype is None:
        return None
    if isinstance(dtype, str) and dtype == "auto":
        is_made_for_it = device == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if is_made_for_it else None
    for name in _MIXED:
        if dtype in (name, getattr(torch, name)):
            return getattr(torch, name)
    raise ValueError(
        "Expected 'dtype' to be None, 'auto', 'float16' or 'bfloat16', got "
        f"{dtype!r}. For other types, convert the module with module.to(dtype)."
    )


@contextmanager
def on_device(module: Any, device: Any) -> Iterator[None]:
    """Keep a module on a device for a while, and put it back.

    Parameters
    ----------
    module : torch.nn.Module
        A model that is spread over several devices stays as it is.
    device : str or torch.device
        "auto" means where the module is, unless that is the CPU and there is an
        accelerator.
    """
    home = where_is(module)
    target = _resolve_device(module, device)
    if target == home:
        yield
        return
    module.to(target)
    try:
        yield
    finally:
        module.to(home)


def _resolve_device(module: Any, device: Any) -> Any:
    import torch

    home = where_is(module)
    if device != "auto":
        return _checked_device(device, home)
    devices = {w.device for w in chain(module.parameters(), module.buffers())}
    accelerator = _accelerator()
    if devices != {torch.device("cpu")} or accelerator is None:
        return home
    # Apple's accelerator has no doubles.
    if accelerator.type == "mps" and float_type(module) == torch.float64:
        return home
    return accelerator


def _checked_device(device: Any, home: Any) -> Any:
    import torch

    try:
        target = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            "Expected 'device' to be 'auto' or a device of torch, such as 'cpu' or "
            f"'cuda:0', got {device!r}."
        ) from error
    # "cuda" is where "cuda:1" is, too.
    return home if target.index is None and target.type == home.type else target


def _accelerator() -> Any:
    import torch

    if hasattr(torch, "accelerator"):
        found = torch.accelerator.is_available()
        return torch.accelerator.current_accelerator() if found else None
    return torch.device("cuda") if torch.cuda.is_available() else None


# -- running and leaving no trace ----------------------------------------------


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Have a module compute the same for every row, and leave it as it was.

    One pass at a time runs in a module, also from several threads. Gradients are off
    by `no_grad`, not by `inference_mode`: tensors that a module keeps from a pass,
    such as tables of rotary positions, must not make it useless for training.
    """
    import torch

    with _lock_of(module), torch.no_grad(), _no_fast_path():
        was_training = module.training
        training = {id(part) for part in module.modules() if part.training}
        if training:
            module.eval()
        try:
            yield
        finally:
            if was_training:
                module.train()  # Some classes do more there than set a flag.
            if training:
                for part in module.modules():
                    part.training = id(part) in training


def _lock_of(module: Any) -> threading.RLock:
    with _NEW_LOCK:
        return _LOCKS.setdefault(module, threading.RLock())


@contextmanager
def _no_fast_path() -> Iterator[None]:
    """Keep torch from fusing transformer layers, which then would not run."""
    from torch.backends import mha

    was_enabled = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        mha.set_fastpath_enabled(was_enabled)


# -- identity ------------------------------------------------------------------


def module_digest(module: Any) -> str:
    """Return a hash of a module's structure and weights, the same for copies."""
    digest = hashlib.blake2b(digest_size=20)
    kind = type(module)
    structure = _ADDRESS.sub("", f"{kind.__module__}.{kind.__qualname__} {module!r}")
    digest.update(structure.encode())
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        for part in _as_bytes(value):
            digest.update(part)
    return digest.hexdigest()


def function_digest(function: Any) -> str | None:
    """Return a hash of a function or transform: its code, or what it says of itself."""
    if function is None:
        return None
    if hasattr(function, "state_dict") and hasattr(function, "named_children"):
        return module_digest(function)
    code = getattr(function, "__code__", None)
    if code is None:
        kind = type(function)
        text = f"{kind.__module__}.{kind.__qualname__} {function!r}"
        return _ADDRESS.sub("", text)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    text = repr((_code_parts(code), function.__defaults__, cells))
    return _ADDRESS.sub("", text)


def _code_parts(code: CodeType) -> tuple:
    constants = [
        _code_parts(item) if isinstance(item, CodeType) else item
        for item in code.co_consts
    ]
    return code.co_name, code.co_code, code.co_names, constants


def _as_bytes(value: Any) -> Iterator[Any]:
    import torch

    if not isinstance(value, torch.Tensor):
        yield pickle.dumps(value)
        return
    value = value.detach().cpu()
    if value.is_quantized:
        yield str((value.q_scale(), value.q_zero_point())).encode()
        value = value.int_repr()
    yield f"{value.dtype} {tuple(value.shape)}".encode()
    yield value.contiguous().reshape(-1).view(torch.uint8).numpy()
