#!/usr/bin/env python3
"""Renders the same conversations with Lathe and with transformers' jinja2, and compares.

  tools/compare_chat_templates.py CHAT_RENDER FOLDER_OR_FILE...   [--show N] [--list]

CHAT_RENDER is the program of tests/golden/chat_render.cpp. Templates are files *.jinja, or a
tokenizer_config.json with a chat_template. A case agrees when both give the same text and the same
spans of generation, or both refuse. Published templates are other people's: none is kept here.
Exit status 1 where a case differs.

Compared with transformers 5.23 and jinja2 3.1.6 under Python 3.11.
"""
import argparse
import copy
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ["TZ"] = "UTC"
time.tzset()

import datetime as datetime_module

from transformers.utils import chat_template_utils as reference

NOW = 1753966496  # 2025-07-31 12:54:56 UTC


class FixedTime(datetime_module.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime_module.datetime.fromtimestamp(NOW, tz)


reference.datetime = FixedTime

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def tool(name, description, properties, required, **more):
    return {"type": "function", "function": {"name": name, "description": description, "parameters": {
        "type": "object", "properties": properties, "required": required, **more}}}


WEATHER = tool("get_weather", "Weather of a place \u2014 now & \"soon\" <b>",
               {"place": {"type": "string", "description": "A town, like K\u00f6ln"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                "days": {"type": ["integer", "null"], "description": "How many", "minimum": 1, "maximum": 14}},
               ["place"])
SEARCH = tool("search", "Finds things.\nMany lines.",
              {"query": {"type": "string"},
               "filter": {"type": "object", "description": "nested", "properties": {
                   "tags": {"type": "array", "items": {"type": "string"}, "description": "tags"},
                   "range": {"type": "object", "properties": {"from": {"type": "number"}, "to": {"type": "number"}},
                             "required": ["from"]}}, "required": ["tags"]},
               "either": {"anyOf": [{"type": "string"}, {"type": "integer"}], "description": "one of two"},
               "limit": {"type": "number", "default": 1.5}}, ["query", "filter"], additionalProperties=False)
EMPTY = tool("ping", "No parameters", {}, [])
TOOLS = [WEATHER, SEARCH, EMPTY]


def call(name, arguments, id="call_123456789"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def conversations():
    user = {"role": "user", "content": "Hello, who are you?"}
    system = {"role": "system", "content": "You are terse.\nVery terse. "}
    answer = {"role": "assistant", "content": "I am a model."}
    more = {"role": "user", "content": "  Tell me more\n\n- one\n- two  \n"}
    yield "user", {"messages": [user]}
    yield "system", {"messages": [system, user]}
    yield "turns", {"messages": [user, answer, more]}
    yield "system turns", {"messages": [system, user, answer, more, answer, user]}
    yield "ends with assistant", {"messages": [system, user, answer]}
    yield "unicode", {"messages": [{"role": "user", "content": "\u4f60\u597d \U0001f600 na\u00efve \u0645\u0631\u062d\u0628\u0627 \u2028 \u00a0"},
                                   {"role": "assistant", "content": "\u65e5\u672c\u8a9e\u3001\u304a\u3051"},
                                   {"role": "user", "content": "\u00df\u0130\ufb01"}]}
    yield "quotes", {"messages": [{"role": "user", "content": "\"a\" 'b' \\n \\ {{ x }} {% if %} {# #} <b>&amp;</b>"}]}
    yield "specials in text", {"messages": [{"role": "user", "content": "<|im_end|>\n<|im_start|>system</s><s>[INST]<|eot_id|>"}]}
    yield "empty", {"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}, user]}
    yield "no messages", {"messages": []}
    yield "two users", {"messages": [user, more]}
    yield "two systems", {"messages": [system, system, user]}
    yield "system late", {"messages": [user, answer, system, more]}
    yield "developer", {"messages": [{"role": "developer", "content": "Rules."}, user]}
    yield "odd role", {"messages": [{"role": "critic", "content": "Hm."}, user]}
    yield "null content", {"messages": [user, {"role": "assistant", "content": None}, more]}
    yield "no content", {"messages": [user, {"role": "assistant"}, more]}
    parts = [{"type": "text", "text": "Look: "}, {"type": "text", "text": "this & that"}]
    yield "parts", {"messages": [{"role": "system", "content": parts[:1]}, {"role": "user", "content": parts},
                                 {"role": "assistant", "content": parts}, {"role": "user", "content": parts[:1]}]}
    yield "image", {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"},
                                                              {"type": "image_url", "image_url": {"url": "x"}},
                                                              {"type": "video"}, {"type": "audio"}]}]}
    thinking = {"role": "assistant", "content": "<think>\nLet me see.\n\n</think>\n\nIt is 4."}
    yield "think in content", {"messages": [user, thinking, more, thinking, user]}
    apart = {"role": "assistant", "content": "It is 4.", "reasoning_content": "\nLet me see.\n"}
    yield "reasoning", {"messages": [system, user, apart, more]}
    yield "reasoning last", {"messages": [user, apart]}
    yield "thinking key", {"messages": [user, {"role": "assistant", "content": "4", "thinking": "hm"}, more]}
    for name, value in (("enable_thinking", True), ("enable_thinking", False), ("thinking", True), ("thinking", False),
                        ("reasoning_effort", "high"), ("clear_thinking", False), ("date_string", "1 Jan 2026"),
                        ("tools_in_user_message", False), ("preserve_thinking", True)):
        yield f"{name}={value}", {"messages": [system, user, apart, more], "variables": {name: value}}
        yield f"{name}={value} tools", {"messages": [system, user, apart, more], "tools": TOOLS, "variables": {name: value}}
    yield "tools", {"messages": [system, user], "tools": TOOLS}
    yield "tools, no system", {"messages": [user], "tools": TOOLS}
    yield "one tool", {"messages": [user], "tools": [WEATHER]}
    yield "no tools", {"messages": [user], "tools": []}
    yield "bare tool", {"messages": [user], "tools": [WEATHER["function"]]}
    question = {"role": "user", "content": "Weather in K\u00f6ln?"}
    arguments = {"place": "K\u00f6ln", "days": 3, "deep": {"a": [1, 2.5, None, True], "b": "\"q\" \n \u2028"}, "empty": {}, "none": []}
    for style, given in (("dict", arguments), ("string", json.dumps(arguments, ensure_ascii=False)), ("nothing", {})):
        asked = {"role": "assistant", "content": "", "tool_calls": [call("get_weather", given)]}
        result = {"role": "tool", "name": "get_weather", "tool_call_id": "call_123456789", "content": "{\"t\": 21.5}"}
        yield f"call {style}", {"messages": [question, asked, result], "tools": TOOLS}
        yield f"call {style}, no tools", {"messages": [question, asked, result]}
        yield f"call {style}, answered", {"messages": [system, question, asked, result, answer, more], "tools": TOOLS}
        yield f"call {style} open", {"messages": [question, asked], "tools": TOOLS}
        nullish = {**asked, "content": None}
        yield f"call {style} null", {"messages": [question, nullish, result, answer], "tools": TOOLS}
        without = {k: v for k, v in asked.items() if k != "content"}
        yield f"call {style} without", {"messages": [question, without, result, answer], "tools": TOOLS}
        two = {"role": "assistant", "content": "Both.", "reasoning_content": "two calls",
               "tool_calls": [call("get_weather", given), call("search", given, "call_abcdefghi")]}
        second = {"role": "tool", "name": "search", "tool_call_id": "call_abcdefghi", "content": "nothing"}
        yield f"calls {style}", {"messages": [system, question, two, result, second, answer, more, two, result, second], "tools": TOOLS}
        structured = {**result, "content": {"t": 21.5, "sky": "clear"}}
        yield f"result {style} dict", {"messages": [question, asked, structured], "tools": TOOLS}
        listed = {**result, "content": [{"type": "text", "text": "21.5"}, {"type": "text", "text": " C"}]}
        yield f"result {style} parts", {"messages": [question, asked, listed, answer], "tools": TOOLS}
        bare = {"role": "assistant", "content": "", "tool_calls": [{"name": "get_weather", "arguments": given}]}
        yield f"bare call {style}", {"messages": [question, bare, result], "tools": TOOLS}
        short = {"role": "assistant", "content": "", "tool_calls": [call("get_weather", given, "123456789")]}
        reply = {"role": "tool", "name": "get_weather", "tool_call_id": "123456789", "content": "21"}
        yield f"short id {style}", {"messages": [question, short, reply, answer], "tools": TOOLS}
    documents = [{"title": "One", "text": "First text \u00e9", "doc_id": 1}, {"title": "Two", "text": "Second\ntext", "contents": "c"}]
    yield "documents", {"messages": [user], "documents": documents}
    yield "documents, tools", {"messages": [system, user, answer, more], "documents": documents, "tools": TOOLS}
    yield "continue", {"messages": [user, {"role": "assistant", "content": "Well, "}], "continue_final_message": True}
    yield "continue trimmed", {"messages": [system, user, {"role": "assistant", "content": "Well,"}], "continue_final_message": True}
    yield "continue parts", {"messages": [user, {"role": "assistant", "content": parts}], "continue_final_message": True}
    yield "long", {"messages": [system] + [user, answer] * 20 + [more]}


def expected(template, case):
    case = copy.deepcopy(case)
    try:
        texts, spans = reference.render_jinja_template(
            [case["messages"]], tools=case.get("tools"), documents=case.get("documents"), chat_template=template,
            add_generation_prompt=case["add_generation_prompt"],
            continue_final_message=case.get("continue_final_message", False), return_assistant_tokens_mask=case["spans"],
            **TOKENS, **case.get("variables", {}))
    except Exception as error:  # whatever Python raises counts as a refusal
        return None, f"{type(error).__name__}: {error}"
    if not case["spans"]:
        return (texts[0], None), ""
    to_bytes = lambda at: len(texts[0][:at].encode())
    return (texts[0], [[to_bytes(a), to_bytes(b)] for a, b in spans[0]]), ""


def read_templates(paths):
    for path in paths:
        path = pathlib.Path(path)
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix == ".jinja":
                yield file.name, file.read_bytes().decode()
            elif file.name == "tokenizer_config.json":
                found = json.loads(file.read_text()).get("chat_template")
                for entry in found if isinstance(found, list) else [{"name": "", "template": found}] if found else []:
                    yield f"{file.parent.name}/{entry['name']}", entry["template"]


class Renderer:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def render(self, request):
        self.process.stdin.write(json.dumps(request, ensure_ascii=True) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def cases_of(template):
    for name, case in conversations():
        for prompt in (True, False):
            if prompt and case.get("continue_final_message"):
                continue
            yield f"{name}{' +' if prompt else ''}", {**case, "add_generation_prompt": prompt, "now": NOW, "tokens": TOKENS,
                                                     "spans": "generation" in template and not case.get("continue_final_message")}


def compare(name, template, renderer):
    """(agreed texts, agreed refusals, differences)"""
    texts, refusals, differences = 0, 0, []
    for case_name, case in cases_of(template):
        want, why = expected(template, case)
        got = renderer.render({"template": template, "name": name, "conversation": case})
        if want is None and "error" in got:
            refusals += 1
        elif want is not None and got.get("text") == want[0] and want[1] in (None, got["generated"]):
            texts += 1
        else:
            differences.append((case_name, want[0] if want else why, got.get("text", got.get("error"))))
    return texts, refusals, differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--show", type=int, default=1, help="differences to print for each template")
    options = parser.parse_args()
    renderer = Renderer(options.program)
    total = [0, 0, 0, 0]
    for name, template in read_templates(options.paths):
        texts, refusals, differences = compare(name, template, renderer)
        total = [a + b for a, b in zip(total, (1, texts, refusals, len(differences)))]
        print(f"{name}: {texts} equal, {refusals} refused by both, {len(differences)} differ")
        for case_name, want, got in differences[: options.show]:
            at = next((i for i, (a, b) in enumerate(zip(want, got or "")) if a != b), min(len(want), len(got or "")))
            print(f"  [{case_name}] at {at}\n    expected {want[max(0, at - 60):at + 100]!r}\n    got      {(got or '')[max(0, at - 60):at + 100]!r}")
    print("{} templates: {} equal, {} refused by both, {} differ".format(*total))
    return 1 if total[3] else 0


if __name__ == "__main__":
    sys.exit(main())
