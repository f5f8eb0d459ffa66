"""Text to token ids and back, with the model's own tokenizer and chat template and nothing of `transformers`.

User content can never become a special token: occurrences of a special token's text inside content are encoded as
ordinary text, and everything else is encoded exactly as `transformers.apply_chat_template` would.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from cmif.enclave.tool_calls import dialect, marks, with_tools
from cmif.errors import BundleError, InputError

Message = Mapping[str, Any]
_REFUSED = "The model's chat template refuses these messages."
_BY_TEMPLATES = (jinja2.TemplateError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError,
                 RecursionError)  # fmt: skip
"""What templates raise for messages they were not written for."""


class Tokeniser:
    """A model's tokenizer. ``special`` names the special tokens a template may use (bos_token, eos_token, ...).

    ``calls`` is how this model writes tool calls, ``call_marks`` the special tokens that open one.
    """

    def __init__(
        self,
        tokenizer_json: str,
        template: str,
        special: Mapping[str, str],
        today: Callable[[str], str] | None = None,
    ) -> None:
        try:
            self._tokenizer = Tokenizer.from_str(tokenizer_json)
        except Exception:
            raise BundleError(
                "tokenizer.json cannot be read by `tokenizers`.", hint="Split the model again."
            ) from None
        self._literal = Tokenizer.from_str(tokenizer_json)
        self._literal.encode_special_tokens = True
        for tokenizer in (self._tokenizer, self._literal):
            tokenizer.no_truncation()
            tokenizer.no_padding()
        added = self._tokenizer.get_added_tokens_decoder().values()
        texts = sorted((token.content for token in added), key=len, reverse=True)
        self._special_text = re.compile("|".join(map(re.escape, texts))) if texts else None
        self._special = dict(special)
        self._template = _compile(template, today) if template else None
        self._takes_tools = "tools" in template
        self.calls = dialect(template)
        known = ((mark, self._tokenizer.token_to_id(mark)) for mark in marks(self.calls))
        self.call_marks = {token: mark for mark, token in known if token is not None}

    @property
    def vocab(self) -> int:
        """Number of ids, added tokens included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def encode_text(self, text: str) -> list[int]:
        """A raw prompt, with the model's own leading special tokens (bos) and no other."""
        return self._encode(*self._guard(text, _nonce()), add_special_tokens=True)

    def encode_chat(self, messages: Sequence[Message], tools: Sequence[Any] | None = None) -> list[int]:
        """A chat, rendered by the model's template with the generation prompt appended.

        Raises :class:`InputError` if the model has no chat template or the template refuses these messages.
        """
        if self._template is None:
            raise InputError("This model has no chat template.", hint="Use /v1/completions.")
        nonce = _nonce()
        literals: dict[str, str] = {}

        def guard(text: str) -> str:
            return self._guard_into(text, nonce, literals)

        asked: Sequence[Message] = [_for_template(message) for message in messages]
        if tools and not self._takes_tools:
            asked = with_tools(asked, tools)
        try:
            rendered = self._template.render(
                messages=_map_strings(asked, guard),
                tools=_map_strings(tools, guard) if tools else None,
                add_generation_prompt=True,
                **self._special,
            )
        except _TemplateRefusal as refusal:
            raise InputError(refusal.message or _REFUSED) from None
        except _BY_TEMPLATES:
            raise InputError(_REFUSED) from None
        return self._encode(rendered, literals)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids`` without special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def piece(self, token: int) -> str:
        """One id as text, as logprobs show it."""
        return str(self._tokenizer.decode([token], skip_special_tokens=False))

    def stream(self) -> TextStream:
        """An incremental decoder of one answer."""
        return TextStream(self._tokenizer)

    def pieces(self, text: str) -> list[int]:
        """Ids of ``text`` as ordinary text, no special tokens added or recognised."""
        return list(self._literal.encode(text, add_special_tokens=False).ids)

    def _guard(self, text: str, nonce: str) -> tuple[str, dict[str, str]]:
        literals: dict[str, str] = {}
        return self._guard_into(text, nonce, literals), literals

    def _guard_into(self, text: str, nonce: str, literals: dict[str, str]) -> str:
        """Swap each special token's text inside ``text`` for a marker that no template and no tokenizer knows."""
        if self._special_text is None:
            return text

        def marker(match: re.Match[str]) -> str:
            key = f"{nonce}{len(literals)}z"
            literals[key] = match.group()
            return key

        return self._special_text.sub(marker, text)

    def _encode(
        self, text: str, literals: Mapping[str, str], *, add_special_tokens: bool = False
    ) -> list[int]:
        if not literals:
            return list(self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids)
        ids: list[int] = []
        for i, part in enumerate(_split(text, literals)):
            if part in literals:
                ids += self.pieces(literals[part])
            elif part or i == 0:
                ids += self._tokenizer.encode(part, add_special_tokens=add_special_tokens and i == 0).ids
        return ids


_EAGER = 16
"""Ids without text after which looking again waits. A character is four bytes, so honest text needs a handful."""


class TextStream:
    """Ids as they come -> the text that is complete by now; together the same text as :meth:`Tokeniser.decode`.

    Ids that complete no text are looked at again and again, all of them each time. After :data:`_EAGER` of them the
    next look waits until they have doubled, so that an engine which sends nothing else costs time linear in what it
    sends.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._ids: list[int] = []
        self._seen = 0  # of these ids
        self._held = 0
        self._length = 0

    def feed(self, token: int) -> str:
        self._ids.append(token)
        fresh = len(self._ids) - self._seen
        if self._held >= _EAGER and fresh < self._held:
            return ""
        asked = token if fresh == 1 else self._ids[self._seen :]  # a list of one takes twice the time
        text = self._decoder.step(self._tokenizer, asked) or ""
        self._seen += fresh
        self._held = 0 if text else self._held + fresh
        self._length += len(text)
        return text

    def finish(self) -> str:
        """What was held back: the bytes of a character that never became complete."""
        return str(self._tokenizer.decode(self._ids, skip_special_tokens=True))[self._length :]


class _TemplateRefusal(jinja2.TemplateError):
    """Raised by the template's own `raise_exception`; its message is the template's, not the user's."""


def _compile(source: str, today: Callable[[str], str] | None) -> jinja2.Template:
    """The environment that chat templates are written for (Hugging Face "chat templates" documentation)."""

    def raise_exception(message: str) -> None:
        raise _TemplateRefusal(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    if today is not None:
        environment.globals["strftime_now"] = today
    try:
        return environment.from_string(source)
    except jinja2.TemplateError:
        raise BundleError(
            "The model's chat template does not compile.", hint="Split the model again."
        ) from None


def _nonce() -> str:
    return f"q{secrets.token_hex(8)}x"


def _split(text: str, literals: Iterable[str]) -> list[str]:
    return re.split("(" + "|".join(map(re.escape, literals)) + ")", text)


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """``value`` with every string and key changed but the roles, which the template compares."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {
            change(key): item if key == "role" and item in _ROLES else _map_strings(item, change)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_map_strings(item, change) for item in value]
    return value


_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def _for_template(message: Message) -> dict[str, Any]:
    """A message as templates expect it: a content that is a text, and arguments that are a value, not JSON in a string.

    Most templates know no developer; it is the newer name for the system role.
    """
    out = {key: value for key, value in message.items() if value is not None}
    out["content"] = message.get("content") or ""
    if message.get("role") == "developer":
        out["role"] = "system"
    if message.get("tool_calls"):
        out["tool_calls"] = [_decoded(call) for call in message["tool_calls"]]
    return out


def _decoded(call: Any) -> Any:
    function = call.get("function")
    if not isinstance(function, Mapping) or not isinstance(function.get("arguments"), str):
        return call
    try:
        arguments = json.loads(function["arguments"] or "{}")
    except (ValueError, RecursionError):
        return call
    return {**call, "function": {**function, "arguments": arguments}} if isinstance(arguments, dict) else call
