"""Certificates as a gateway meets them: real handshakes, with files replaced in between."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from srd.daemon.server import ExtProcServer, ServerOptions
from srd.daemon.tls import ServerTls, TlsError, TlsFiles

SECONDS = 10  # no test waits this long unless it is about to fail


class Pki:
    """A folder of self-signed certificates, each its own CA, made on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def cert(self, name: str) -> Path:
        path = self.folder / f"{name}.crt"
        if not path.exists():
            command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
            subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost"]
            files = ["-keyout", str(self.key(name)), "-out", str(path)]
            subprocess.run([*command.split(), *subject, *files], check=True, capture_output=True)
        return path

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def files(pki: Pki, tmp_path: Path) -> TlsFiles:
    """Files of the server "one", to be replaced."""
    files = TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
    install(pki, "one", files)
    return files


def install(pki: Pki, name: str, files: TlsFiles) -> None:
    shutil.copy(pki.cert(name), files.cert)
    shutil.copy(pki.key(name), files.key)


async def meets(
    tls: ServerTls, trusted: Path, identity: tuple[Path, Path] | None = None
) -> str | None:
    """The ALPN protocol of a handshake with the server, by a client that trusts one certificate.

    Raises what the client sees when it is turned away.
    """

    async def never(stream: object) -> None:
        raise AssertionError("no stream is opened here")

    server = ExtProcServer(never, ServerOptions(listen="127.0.0.1:0", tls=tls.context))
    await server.start()
    try:
        client = ssl.create_default_context(cafile=str(trusted))
        client.set_alpn_protocols(["h2"])
        if identity is not None:
            client.load_cert_chain(*identity)
        host, port = server.addresses[0].split(":")
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(
                host, int(port), ssl=client, server_hostname="localhost"
            )
            chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
            # In TLS 1.3 a refused client certificate shows at the first read.
            assert await reader.read(1), "the server turned the client away"
            writer.close()
        return str(chosen)
    finally:
        await server.close()


def handshake(
    tls: ServerTls, trusted: Path, identity: tuple[Path, Path] | None = None
) -> str | None:
    return asyncio.run(meets(tls, trusted, identity))


def test_a_client_that_trusts_the_certificate_gets_http2(pki: Pki, files: TlsFiles) -> None:
    assert handshake(ServerTls(files), pki.cert("one")) == "h2"


def test_a_reload_brings_the_new_certificate_to_new_connections(pki: Pki, files: TlsFiles) -> None:
    tls = ServerTls(files)
    install(pki, "two", files)
    assert tls.reload()
    assert handshake(tls, pki.cert("two")) == "h2"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls, pki.cert("one"))


@pytest.mark.parametrize("broken", ["missing", "no pem", "wrong key"])
def test_a_bad_renewal_keeps_the_old_certificate(
    pki: Pki, files: TlsFiles, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    tls = ServerTls(files)
    pki.cert("two")
    match broken:
        case "missing":
            files.cert.unlink()
        case "no pem":
            files.cert.write_text("nonsense")
        case _:
            shutil.copy(pki.key("two"), files.key)
    assert not tls.reload()
    said = {"missing": "No such file", "no pem": "not PEM", "wrong key": "mismatch"}
    assert "tls_reload_failed" in caplog.text
    assert said[broken] in caplog.text
    assert handshake(tls, pki.cert("one")) == "h2"


def test_mtls_serves_only_clients_of_the_ca(pki: Pki, files: TlsFiles) -> None:
    tls = ServerTls(TlsFiles(files.cert, files.key, pki.cert("client")))
    known = (pki.cert("client"), pki.key("client"))
    assert handshake(tls, pki.cert("one"), known) == "h2"
    stranger = (pki.cert("stranger"), pki.key("stranger"))
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        handshake(tls, pki.cert("one"), stranger)
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        handshake(tls, pki.cert("one"))


def test_a_withdrawn_ca_no_longer_opens_the_door(pki: Pki, files: TlsFiles, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    shutil.copy(pki.cert("client"), ca)
    tls = ServerTls(TlsFiles(files.cert, files.key, ca))
    shutil.copy(pki.cert("next"), ca)
    assert tls.reload()
    assert handshake(tls, pki.cert("one"), (pki.cert("next"), pki.key("next"))) == "h2"
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        handshake(tls, pki.cert("one"), (pki.cert("client"), pki.key("client")))


def test_a_swapped_secret_is_noticed(pki: Pki, tmp_path: Path) -> None:
    """As the kubelet does it: the files are links through `..data`, which is renamed over."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        install(pki, version, TlsFiles(tmp_path / version / "c", tmp_path / version / "k"))
    (tmp_path / "..data").symlink_to("one")
    for name in ("c", "k"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    tls = ServerTls(TlsFiles(tmp_path / "c", tmp_path / "k"))

    async def swap_and_meet() -> None:
        watching = asyncio.create_task(tls.watch(poll_seconds=0.01))
        for _ in range(5):  # turns of the loop: the watch looks at the first version
            await asyncio.sleep(0)
        (tmp_path / "..next").symlink_to("two")
        (tmp_path / "..next").rename(tmp_path / "..data")
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    assert await meets(tls, pki.cert("two")) == "h2"
                    break
                except ssl.SSLCertVerificationError:
                    await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(swap_and_meet())


@pytest.mark.parametrize("missing", ["cert", "key", "client_ca"])
def test_a_missing_file_is_named(pki: Pki, files: TlsFiles, missing: str) -> None:
    paths = {"cert": files.cert, "key": files.key, "client_ca": pki.cert("client")}
    gone = paths | {missing: Path("/nowhere/file.pem")}
    with pytest.raises(TlsError, match=r"^/nowhere/file\.pem: No such file"):
        ServerTls(TlsFiles(**gone))


def test_an_encrypted_key_is_refused_without_asking_the_terminal(pki: Pki, files: TlsFiles) -> None:
    command = ["openssl", "ec", "-aes128", "-passout", "pass:x", "-in", str(pki.key("one"))]
    subprocess.run([*command, "-out", str(files.key)], check=True, capture_output=True)
    with pytest.raises(TlsError, match="encrypted"):
        ServerTls(files)
