"""Gunicorn as the standard has it: a worker for each CPU, metrics of all of them on a port of their own, a drain."""

import json
import multiprocessing
import os
import shutil
import tempfile
import time

from settings import VERSION, settings

DRAINING = multiprocessing.Value("b", False)

bind = f"0.0.0.0:{settings.PORT}"
workers = int(os.environ.get("WEB_CONCURRENCY", len(os.sched_getaffinity(0))))
worker_class = "worker.Worker"
timeout = int(os.environ.get("TIMEOUT", 120))
graceful_timeout = int(os.environ.get("GRACEFUL_TIMEOUT", 30))
keepalive = 75
control_socket_disable = True
METRICS = tempfile.mkdtemp(prefix="metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = METRICS


class Json:
    def __init__(self, inner=None):
        pass

    def format(self, record):
        message = record.getMessage() if not record.exc_info else f"{record.getMessage()}: {record.exc_info[1]!r}"
        return json.dumps(
            {
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
                "level": record.levelname.lower(),
                "message": message,
                "service_name": settings.SERVICE_NAME,
                "environment": settings.ENVIRONMENT,
                "version": VERSION,
            }
        )


LEVEL = {"warn": "WARNING"}.get(settings.LOG_LEVEL, settings.LOG_LEVEL.upper())
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": Json}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
    "root": {"level": LEVEL, "handlers": ["out"]},
    "loggers": {
        "gunicorn.error": {"level": LEVEL, "handlers": ["out"], "propagate": False},
        "gunicorn.access": {"level": "WARNING", "handlers": ["out"], "propagate": False},
        "uvicorn.error": {"level": "CRITICAL", "handlers": ["out"], "propagate": False},
        "uvicorn.access": {"level": "CRITICAL", "handlers": ["out"], "propagate": False},
    },
}


def when_ready(server):
    # Here and not on import: the primary alone serves the metrics, and a worker's death does not end them.
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    group = CollectorRegistry()
    MultiProcessCollector(group)
    start_http_server(int(settings.METRICS_PORT), "0.0.0.0", group)

    stop = server.handle_term

    def drain():
        DRAINING.value = True
        time.sleep(int(os.environ.get("DEREGISTRATION_DELAY", 0)))
        stop()

    server.handle_term = drain


def post_worker_init(worker):
    # Not in post_fork: until it returns, a worker has the primary's signal handlers, under which TERM is lost.
    import app

    app.draining = DRAINING


def on_exit(server):
    shutil.rmtree(METRICS, ignore_errors=True)
