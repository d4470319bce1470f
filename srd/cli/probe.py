"""Asks each backend of a document which models it serves, and compares the names.

Why this file exists: a name that the backend does not know shows only as 404s after a roll-out. It
is used by `srd check --probe` and nothing that serves: srd itself never dials a backend.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from srd.config import Document
from srd.config.providers import BackendRef, ProviderModel
from srd.decide.models import upstream_id

_MAX_ANSWER = 8 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What one backend of one model said. `missing` are names that it does not serve; `error` is
    why it could not be asked."""

    model: str
    url: str
    missing: tuple[str, ...] = ()
    error: str = ""

    @property
    def text(self) -> str:
        """One line for people."""
        if self.error:
            return f"{self.model}: {self.url}: {self.error}"
        if self.missing:
            return f"{self.model}: {self.url}: does not serve {', '.join(self.missing)}"
        return f"{self.model}: {self.url}: serves what is asked of it"


def probe(document: Document, *, timeout: float = 5.0) -> Iterator[Finding]:
    """A finding for each backend of each model, in the document's order; one GET each, no retry."""
    for provider in document.providers.models:
        wanted = _wanted(provider, document)
        for backend in provider.backend_refs:
            url = models_url(backend)
            try:
                served = _served(url, backend, timeout)
            except (OSError, ValueError, http.client.HTTPException) as error:
                yield Finding(provider.name, url, error=_said(error))
                continue
            missing = tuple(name for name in wanted if name not in served)
            yield Finding(provider.name, url, missing=missing)


def models_url(backend: BackendRef) -> str:
    """Where OpenAI-style servers list their models."""
    if backend.base_url:
        return backend.base_url.rstrip("/") + "/models"
    scheme = "" if "://" in backend.endpoint else f"{backend.protocol or 'http'}://"
    return f"{scheme}{backend.endpoint.rstrip('/')}/v1/models"


def _wanted(provider: ProviderModel, document: Document) -> list[str]:
    """The names that requests will carry: the model's and those of its adapters."""
    card = document.card_of(provider.name)
    adapters = [lora.name for lora in card.loras] if card is not None else []
    return [upstream_id(provider.name, document), *adapters]


def _served(url: str, backend: BackendRef, timeout: float) -> set[str]:
    if not url.startswith(("http://", "https://")):
        raise ValueError("not an http address")
    headers = {key: str(value) for key, value in backend.extra_headers.items()}
    key = str(backend.api_key) or os.environ.get(backend.api_key_env, "")
    if key:
        prefix = backend.auth_prefix or "Bearer"
        headers[backend.auth_header or "Authorization"] = f"{prefix} {key}"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        told = json.loads(answer.read(_MAX_ANSWER))
    try:
        return {str(model["id"]) for model in told["data"]}
    except (KeyError, TypeError):
        raise ValueError("the answer is no list of models") from None


def _said(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answers {error.code}"
    if isinstance(error, urllib.error.URLError):
        return f"cannot be reached: {error.reason}"
    return str(error) or type(error).__name__
