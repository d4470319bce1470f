"""The daemon's life: load, listen, reload, drain.

Why this file exists: it puts the parts together and takes them apart in the right order, and is the
only one that knows signals, files and ports at once. It must not know how a request is decided.

Order up: configuration, classifier, admin and metrics ports (not ready), ExtProc port, ready.
Order down: not ready, no new streams (GOAWAY), streams in flight finish, ports close.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from srd.classify.api import Classifier
from srd.config import ConfigErrors, Document, Loaded, load
from srd.daemon import notify
from srd.daemon.admin import AdminServer
from srd.daemon.reload import watch
from srd.daemon.routes import Routes
from srd.daemon.server import ExtProcServer, ServerOptions
from srd.daemon.service import Service
from srd.daemon.stream import handler_for
from srd.daemon.tls import ServerTls
from srd.exchange.policy import Policy, build_policy
from srd.telemetry.metrics import Metrics
from srd.telemetry.observer import Renderings
from srd.telemetry.tracing import Tracing, open_tracing

log = logging.getLogger("srd")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line says. An empty address switches that port off."""

    config: Path
    listen: str = "127.0.0.1:50051"
    admin: str = "127.0.0.1:8080"
    metrics: str = "127.0.0.1:9190"
    unix_path: str | None = None
    tls: ServerTls | None = None
    sockets: list[socket.socket] = field(default_factory=list)
    grace: float = 30.0
    watch: bool = True


ClassifierFactory = Callable[[Document], Classifier | None]


class Daemon:
    """One process. `run` returns when it has drained."""

    def __init__(
        self,
        options: ServeOptions,
        *,
        open_classifier: ClassifierFactory,
    ) -> None:
        self.options = options
        self.state = "starting"
        self.reason = "the classifier is loading"
        self.loaded: Loaded | None = None
        self.service: Service | None = None
        self.server: ExtProcServer | None = None
        self.reloads = {"ok": 0, "failed": 0}
        self._open_classifier = open_classifier
        self.metrics = Metrics(self)
        self._tracing: Tracing | None = None
        self._stop = asyncio.Event()
        self._hard_stop = asyncio.Event()
        self._reload_lock = asyncio.Lock()
        self._generation = 0

    def __repr__(self) -> str:
        return f"<Daemon {self.state} {self.server!r}>"

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit status.

        Raises ConfigErrors for a document that cannot be used, OSError for an address that cannot
        be had, ClassifierUnavailable for a model that cannot be loaded.
        """
        options = self.options
        loop = asyncio.get_running_loop()
        self.loaded = await loop.run_in_executor(None, load, options.config)
        for warning in self.loaded.warnings:
            log.warning("configuration: %s", warning)
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self.reload("SIGHUP")))
        routes = Routes(self)
        ports = [
            AdminServer(address, table)
            for address, table in (
                (options.admin, routes.admin()),
                (options.metrics, routes.metrics()),
            )
            if address
        ]
        for port in ports:
            await port.start()
            port.warn_if_exposed()
        background: list[asyncio.Task[None]] = []
        try:
            await self._bring_up()
            background = self._background()
            log.info("ready: %r, configuration %s", self.server, self.loaded.sha256[:12])
            await self._stop.wait()
            await self._drain()
        finally:
            for task in background:
                task.cancel()
            for port in ports:
                await port.close()
            if self.service is not None and self.service.classifier is not None:
                self.service.classifier.close()
            if self._tracing is not None:
                await loop.run_in_executor(None, self._tracing.close)
        return 0

    async def _bring_up(self) -> None:
        options, loaded = self.options, self.loaded
        assert loaded is not None
        loop = asyncio.get_running_loop()
        classifier = await loop.run_in_executor(None, self._open_classifier, loaded.document)
        policy = await loop.run_in_executor(None, build_policy, loaded.document, classifier)
        self._tracing = open_tracing(loaded.document)
        self.service = Service(policy, classifier, Renderings(self.metrics, self._tracing))
        limits = loaded.document.global_.router.limits
        self.server = ExtProcServer(
            handler_for(self.service),
            ServerOptions(
                listen=None if options.sockets or not options.listen else options.listen,
                unix_path=options.unix_path,
                sockets=options.sockets,
                tls=options.tls.context if options.tls else None,
                reuse_port=not options.sockets and not options.listen.endswith(":0"),
                max_message_bytes=limits.max_message_bytes,
            ),
        )
        await self.server.start()
        self.server.health.set_ready(True)
        self.state, self.reason = "ready", ""
        notify.notify("READY=1", f"STATUS=routing on {', '.join(self.server.addresses)}")

    def _background(self) -> list[asyncio.Task[None]]:
        tasks = []
        if self.options.watch:
            tasks.append(
                asyncio.create_task(
                    watch(self.options.config, lambda: self.reload("the file changed"))
                )
            )
        if self.options.tls is not None:
            tasks.append(asyncio.create_task(self.options.tls.watch()))
        if (interval := notify.watchdog_interval()) is not None:
            tasks.append(asyncio.create_task(self._feed_watchdog(interval)))
        return tasks

    async def _feed_watchdog(self, interval: float) -> None:
        """WATCHDOG=1 only while the loop turns (this runs) and the classifier makes progress."""
        stuck_at: int | None = None
        while True:
            await asyncio.sleep(interval)
            waiting, progress = self._classifier_progress()
            if not (waiting and progress == stuck_at):
                notify.notify("WATCHDOG=1")
            stuck_at = progress if waiting else None

    def _classifier_progress(self) -> tuple[bool, int]:
        classifier = self.service.classifier if self.service else None
        statistics = getattr(classifier, "statistics", None)
        if statistics is None:
            return False, 0
        now = statistics()
        return bool(now.queued or now.running), int(now.runs)

    # -- reload ----------------------------------------------------------------------------------

    async def reload(self, cause: str) -> bool:
        """Load the file again; a bad one keeps the old and says why. True when swapped."""
        async with self._reload_lock:
            notify.reloading()
            try:
                return await self._reload(cause)
            finally:
                notify.notify("READY=1")

    async def _reload(self, cause: str) -> bool:
        service, loop = self.service, asyncio.get_running_loop()
        if service is None:
            return False
        try:
            loaded = await loop.run_in_executor(None, load, self.options.config)
            policy = await loop.run_in_executor(None, self._rebuild, loaded, service)
        except ConfigErrors as errors:
            self.reloads["failed"] += 1
            for problem in errors.problems:
                log.error("config_reload_failed: %s", problem)
            return False
        except Exception as error:
            self.reloads["failed"] += 1
            log.error("config_reload_failed: %s: %s", type(error).__name__, error)
            return False
        self.loaded, service.policy = loaded, policy
        self.reloads["ok"] += 1
        for warning in loaded.warnings:
            log.warning("configuration: %s", warning)
        log.info("config_reloaded: %s, sha256 %s", cause, loaded.sha256[:12])
        return True

    def _rebuild(self, loaded: Loaded, service: Service) -> Policy:
        """Compile on a worker thread; a document that needs a classifier for the first time gets
        one."""
        if service.classifier is None:
            service.classifier = self._open_classifier(loaded.document)
        self._generation += 1
        return build_policy(loaded.document, service.classifier, generation=self._generation)

    # -- the way down ----------------------------------------------------------------------------

    def _on_stop(self) -> None:
        if self._stop.is_set():
            self._hard_stop.set()
        self._stop.set()

    async def _drain(self) -> None:
        assert self.server is not None
        self.state, self.reason = "draining", "the process is stopping"
        notify.notify("STOPPING=1", "STATUS=draining")
        log.info("draining: %d streams in flight", self.server.live_streams)
        drain = asyncio.ensure_future(self.server.drain(self.options.grace))
        hard = asyncio.ensure_future(self._hard_stop.wait())
        await asyncio.wait({drain, hard}, return_when=asyncio.FIRST_COMPLETED)
        hard.cancel()
        if not drain.done():
            await self.server.close()
        with contextlib.suppress(asyncio.CancelledError):
            left = await drain
            log.info("stopped: %d streams cut off", left)
