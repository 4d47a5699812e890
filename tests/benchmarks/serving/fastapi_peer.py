"""FastAPI over uvicorn with uvloop and httptools, as `fastapi run` is."""

import sys
from typing import Any

import uvicorn
from answering import answer, load
from fastapi import FastAPI
from pydantic import BaseModel


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class Request(BaseModel):
    inputs: list[Tensor]


app = FastAPI()
session = load()


@app.post("/infer")
async def infer(request: Request) -> dict[str, Any]:
    return answer(session, request.model_dump())


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
