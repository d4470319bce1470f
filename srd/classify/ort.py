"""ONNX Runtime, behind one small class.

Why this file exists: it is the only place that imports onnxruntime, so that its environment is
set first, its settings are chosen once, and a process without learned signals never loads it.
It must not know what a graph computes.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from srd import DISTRIBUTION
from srd.classify.api import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Device = Literal["auto", "cpu", "cuda"]
Array = npt.NDArray[Any]

EXTRAS = f"{DISTRIBUTION}[cpu] or {DISTRIBUTION}[gpu]"
_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
_INPUT_TYPES: dict[str, type[np.generic]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


def prepare_environment() -> None:
    """Switch off telemetry, hub look-ups and tokenizer threads. Call before either import."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_installed(version: Callable[[str], str | None] = _version) -> str:
    """Return the one installed distribution as "name version", else raise ModelError.

    onnxruntime and onnxruntime-gpu share the folder `onnxruntime/`: the later install wins and
    uninstalling either breaks both, while pip reports nothing.
    """
    found = {name: version(name) for name in ("onnxruntime", "onnxruntime-gpu")}
    present = [f"{name} {number}" for name, number in found.items() if number is not None]
    if not present:
        raise ModelError(f"ONNX Runtime is not installed: install {EXTRAS}.")
    if len(present) > 1:
        raise ModelError(
            f"Both {present[0]} and {present[1]} are installed and overwrite each other: "
            f"uninstall both, then install {EXTRAS}."
        )
    return present[0]


def _import() -> Any:
    check_installed()
    prepare_environment()
    return importlib.import_module("onnxruntime")


class Session:
    """One graph, loaded. `run` is thread-safe, works on the caller's thread and releases the GIL.

    `device` is what the session really uses ("cpu" or "cuda"), by `session.get_providers()`:
    onnxruntime-gpu lists CUDA as available on machines without a GPU and falls back silently.
    `fallback` says why `device="auto"` ended on the CPU although a CUDA build is installed.
    """

    def __init__(self, path: Path, *, device: Device = "cpu", binding: bool | None = None) -> None:
        """Load `path`; raise ModelError when it cannot be, or when CUDA was asked for in vain."""
        runtime = _import()
        self.path = path
        self.fallback = ""
        wanted = self._providers(runtime, device)
        try:
            session = runtime.InferenceSession(str(path), self._options(runtime), providers=wanted)
        except Exception as error:  # onnxruntime's exception types are not importable by contract
            raise ModelError(f"{path}: ONNX Runtime cannot load it: {error}") from error
        self._session = session
        self._run_options = runtime.RunOptions()
        self._run_options.only_execute_path_to_fetches = True
        self.device = "cuda" if session.get_providers()[0] == _CUDA else "cpu"
        if wanted[0] == _CUDA and self.device == "cpu":
            self._refuse_or_note(device, "the CUDA provider could not be started (driver or CUDA?)")
        self._binding = self.device == "cuda" if binding is None else binding
        self.inputs = {node.name: _INPUT_TYPES.get(node.type) for node in session.get_inputs()}
        self.outputs = {node.name: tuple(node.shape) for node in session.get_outputs()}

    def __repr__(self) -> str:
        return f"<Session {self.path.name} on {self.device}, outputs {', '.join(self.outputs)}>"

    def _providers(self, runtime: Any, device: Device) -> list[str]:
        if device == "cpu":
            return [_CPU]
        if _CUDA in runtime.get_available_providers():
            return [_CUDA, _CPU]
        if device == "cuda":
            self._refuse_or_note(device, f"{check_installed()} is built without CUDA")
        return [_CPU]

    def _refuse_or_note(self, device: Device, reason: str) -> None:
        if device == "cuda":
            raise ModelError(f"device cuda: {reason}.")
        self.fallback = reason

    @staticmethod
    def _options(runtime: Any) -> Any:
        # Measured: more intra-op threads or spinning gain nothing for one small graph and starve
        # the event loop; the service runs several forwards side by side instead.
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        # Errors reach us as exceptions; the log would only repeat them on stderr.
        options.log_severity_level = 4
        return options

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        """Return the named outputs, in their order; nodes that no named output needs do not run."""
        if not self._binding:
            results: list[Array] = self._session.run(list(outputs), dict(feeds), self._run_options)
            return results
        binding = self._session.io_binding()
        for name, value in feeds.items():
            binding.bind_cpu_input(name, value)
        for name in outputs:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding, self._run_options)
        bound: list[Array] = binding.copy_outputs_to_cpu()
        return bound
