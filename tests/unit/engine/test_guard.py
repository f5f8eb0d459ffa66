"""The guard over a stand-in for vLLM that answers as the real one was seen to; `conformance/test_vllm.py` has the real one."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import torch
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cmif.engine import guard as guard_module
from cmif.engine.body import load_body
from cmif.engine.guard import Guard
from cmif.errors import InputError

from .conftest import Tiny, prompt
