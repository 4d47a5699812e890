"""The gRPC server of a worker; all workers listen at the same port, and the kernel shares the connections out."""

import grpc

from batch_jobs.serve.grpc.service import Service
from batch_jobs.serve.http.requests import MAX_BODY_BYTES
from batch_jobs.serve.options import Options
from batch_jobs.serve.worker import Worker

_OPTIONS = [
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", MAX_BODY_BYTES),
    ("grpc.max_send_message_length", MAX_BODY_BYTES),
]


async def start(worker: Worker, options: Options) -> grpc.aio.Server:
    """Raises RuntimeError where the port is taken."""
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((Service(worker, timeout_seconds=options.timeout_seconds).to_handler(),))
    server.add_insecure_port(f"{options.host}:{options.grpc_port}")
    await server.start()
    return server
