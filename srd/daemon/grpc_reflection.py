"""gRPC reflection: lets grpcurl list and call the services without their .proto files.

Why this file exists: reflection libraries need Google's protobuf runtime, which srd does without.
The descriptors were written by protoc next to the generated messages; a small reader finds names in
them. It serves v1 and v1alpha, which differ in their package name only.
"""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING, Any

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from srd.wire._pb.grpc.reflection import v1, v1alpha
from srd.wire.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from srd.daemon.grpc_stream import ProcessStream

_NOT_FOUND = Status.NOT_FOUND.value


class Descriptors:
    """The file descriptors of everything that the server speaks, by file and by symbol."""

    def __init__(self, descriptor_set: bytes) -> None:
        self.services: list[str] = []
        self._files: dict[str, bytes] = {}
        self._imports: dict[str, list[str]] = {}
        self._file_of: dict[str, str] = {}
        for raw in Fields(descriptor_set).many(1):
            self._add(raw)

    def _add(self, raw: bytes) -> None:
        file = Fields(raw)
        name = (file.raw(1) or b"").decode()
        package = (file.raw(2) or b"").decode()
        self._files[name] = raw
        self._imports[name] = [imported.decode() for imported in file.many(3)]
        for symbol in self._symbols(file, package):
            self._file_of[symbol] = name

    def _symbols(self, file: Fields, package: str) -> Iterator[str]:
        """Full names of messages (4), enums (5) and services (6) with their methods."""
        for raw in file.many(4):
            yield from _nested_names(raw, package)
        for raw in file.many(5):
            yield f"{package}.{_name(raw)}"
        for raw in file.many(6):
            service = f"{package}.{_name(raw)}"
            self.services.append(service)
            yield service
            for method in Fields(raw).many(2):
                yield f"{service}.{_name(method)}"

    def file(self, name: str) -> list[bytes] | None:
        """The named file and all that it imports, None when it is unknown."""
        if name not in self._files:
            return None
        names, queue = [name], [name]
        while queue:
            fresh = [i for i in self._imports[queue.pop()] if i not in names]
            names += fresh
            queue += fresh
        return [self._files[found] for found in names]

    def containing(self, symbol: str) -> list[bytes] | None:
        """The file that declares `symbol` (a message, enum, service or method)."""
        return self.file(self._file_of.get(symbol, ""))


def _name(raw: bytes) -> str:
    return (Fields(raw).raw(1) or b"").decode()


def _nested_names(raw: bytes, scope: str) -> Iterator[str]:
    """A message, its nested messages (3) and its nested enums (4)."""
    full_name = f"{scope}.{_name(raw)}"
    yield full_name
    fields = Fields(raw)
    for nested in fields.many(3):
        yield from _nested_names(nested, full_name)
    for enum in fields.many(4):
        yield f"{full_name}.{_name(enum)}"


def load_descriptors() -> Descriptors:
    """The descriptors that belong to the generated messages."""
    path = importlib.resources.files("srd.wire._pb") / "descriptors.binpb"
    return Descriptors(path.read_bytes())


def reflection_handler(
    descriptors: Descriptors, version: str
) -> Callable[[ProcessStream], Coroutine[Any, Any, None]]:
    """The handler of ServerReflectionInfo for `version`, "v1" or "v1alpha"."""
    pb: Any = {"v1": v1, "v1alpha": v1alpha}[version]

    async def server_reflection_info(stream: ProcessStream) -> None:
        while (message := await stream.recv()) is not None:
            try:
                Fields(message)  # strict, which the generated parser is not
                request = pb.ServerReflectionRequest.parse(message)
            except ValueError as error:
                text = "not a ServerReflectionRequest"
                raise GRPCError(Status.INVALID_ARGUMENT, text) from error
            answer = _answer(pb, descriptors, request)
            answer.valid_host, answer.original_request = request.host, request
            await stream.send(bytes(answer))

    return server_reflection_info


def _answer(pb: Any, descriptors: Descriptors, request: Any) -> Any:
    if request.list_services is not None:
        services = [pb.ServiceResponse(name=name) for name in sorted(descriptors.services)]
        return pb.ServerReflectionResponse(
            list_services_response=pb.ListServiceResponse(service=services)
        )
    files: list[bytes] | None = None
    if request.file_by_filename is not None:
        files = descriptors.file(request.file_by_filename)
    elif request.file_containing_symbol is not None:
        files = descriptors.containing(request.file_containing_symbol)
    if files is None:
        error = pb.ErrorResponse(error_code=_NOT_FOUND, error_message="no such symbol or file")
        return pb.ServerReflectionResponse(error_response=error)
    return pb.ServerReflectionResponse(
        file_descriptor_response=pb.FileDescriptorResponse(file_descriptor_proto=files)
    )
