from uvicorn_worker import UvicornWorker


class Worker(UvicornWorker):
    # The load balancer keeps idle connections for 60 s, and must be the one to close them.
    CONFIG_KWARGS = {"timeout_keep_alive": 75, "server_header": False, "access_log": False}
