"""The routes of drill-routes.ts, for the reference."""

import asyncio
import os
import re
import threading

from fastapi import FastAPI
from pydantic import BaseModel

# A release that starts well and dies a second later.
if os.path.exists(os.path.join(os.environ["DRILL_FOLDER"], "crash")):
    threading.Timer(1.5, lambda: os._exit(1)).start()

app = FastAPI()


class Answer(BaseModel):
    pid: int


def answer() -> Answer:
    return Answer(pid=os.getpid())


@app.get("/drill/fast")
async def fast() -> Answer:
    return answer()


@app.get("/drill/slow")
async def slow(ms: float) -> Answer:
    await asyncio.sleep(ms / 1000)
    return answer()


@app.get("/drill/loop")
async def endless_loop() -> Answer:
    turns = 0
    while True:
        turns += 1


@app.get("/drill/regex")
async def backtrack() -> Answer:
    re.match(r"^(a+)+$", "a" * 50 + "!")
    return answer()
