"""The edges: sockets, gRPC streams, admin and metrics ports, reload and drain."""
