"""The members' server: members.py PORT PROTO [CERTIFICATE KEY [CLIENT_CA]]. It prints a line of JSON for each call."""

import json
import os
import signal
import sys
import threading
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

port, proto, *tls = sys.argv[1:]
sys.path.insert(0, proto)
messages, services = grpc.protos_and_services("fetch/members/v1/balances.proto")


def tell(method, request, context):
    line = {
        "method": method,
        "member": request.member_id,
        "metadata": {key: value for key, value in context.invocation_metadata() if isinstance(value, str)},
        "seconds_left": context.time_remaining(),
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Balances(services.BalanceServiceServicer):
    def GetBalance(self, request, context):
        tell("GetBalance", request, context)
        if request.member_id == "nobody":
            context.abort(grpc.StatusCode.NOT_FOUND, "no row in members_pk of db-7")
        if request.member_id == "broken":
            raise RuntimeError("password of db-7")
        if request.member_id == "slow":
            while context.is_active():
                time.sleep(0.05)
            sys.stdout.write(json.dumps({"method": "cancelled"}) + "\n")
            sys.stdout.flush()
        return messages.GetBalanceResponse(points=1250, tier=messages.TIER_GOLD)

    def SpendPoints(self, request, context):
        tell("SpendPoints", request, context)
        time.sleep(0.01)
        if request.points > 1250:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "balance of db-7 is 1250")
        return messages.SpendPointsResponse(points=1250 - request.points)


# The next server of a rolling restart listens on the same port.
server = grpc.server(futures.ThreadPoolExecutor(32), options=[("grpc.so_reuseport", 1)])
services.add_BalanceServiceServicer_to_server(Balances(), server)
servicer = health.HealthServicer()
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
servicer.set("", health_pb2.HealthCheckResponse.SERVING)
if tls:
    certificate, key, *client_ca = (open(path, "rb").read() for path in tls)
    clients = {"root_certificates": client_ca[0], "require_client_auth": True} if client_ca else {}
    credentials = grpc.ssl_server_credentials([(key, certificate)], **clients)
    server.add_secure_port(f"127.0.0.1:{port}", credentials)
else:
    server.add_insecure_port(f"127.0.0.1:{port}")


def stop(*_):
    """Finishes what has begun, as servers do that are replaced."""

    def wait():
        server.stop(5).wait()
        os._exit(0)

    threading.Thread(target=wait).start()


signal.signal(signal.SIGTERM, stop)
server.start()
sys.stdout.write(json.dumps({"method": "serving"}) + "\n")
sys.stdout.flush()
server.wait_for_termination()
