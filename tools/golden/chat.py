"""Writes tests/golden/chat/cases.json: what jinja2, set up by transformers, makes of templates of ours.

python tools/golden/chat.py            (writes)
python tools/golden/chat.py --check    (ctest label golden-regen)

Exit status of --check: 0 equal, 1 different, 77 the libraries are not installed in these versions.
Made with jinja2 3.1.6 and transformers 5.23.0 under Python 3.11. `null` for a text: Python refuses.
"""

import argparse
import json
import os
import pathlib
import sys
import time

os.environ["TZ"] = "UTC"
time.tzset()

try:
    import jinja2
    import transformers
    from transformers.utils import chat_template_utils as reference
except ImportError as missing:
    print(f"skipped: {missing}; install tools/golden/requirements.txt")
    sys.exit(77)

import datetime as datetime_module

VERSIONS = ("3.1.6", "5.23.0")
ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/golden/chat"
NOW = 1753966496  # 2025-07-31 12:54:56 UTC

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
VARIABLES = {
    "n": 7, "m": -3, "big": 9007199254740993, "f": 2.5, "tiny": 1e-7, "huge": 1e22, "t": True, "nothing": None,
    "s": "Hello, World", "e": "", "u": "Stra\u00dfe \u4f60\u597d \U0001f600 \u03a3\u039f\u03a3 \u0130\ufb01 \u01c6", "q": "it's \"q\" \\ \n\t\u00a0\u2028<b>&\x7f",
    "spaces": " \t\u3000a  b\u00a0\n ", "lines": "a\nb\r\nc\rd\x0be\u2028f\n\n",
    "l": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "mixed": [1, "1", 1.0, None, True, [2], {"k": "v"}], "none": [],
    "d": {"b": 1, "a": 2, "C": 3, "items": "own", "x": {"y": [10, 20]}}, "people": [
        {"name": "Bo", "age": 30, "town": {"zip": "1"}}, {"name": "al", "age": 20, "town": {"zip": "2"}}, {"name": "Al", "age": 30}],
}
SNIPPETS = """
{{ n }}{{ m }}{{ big }}{{ f }}{{ tiny }}{{ huge }}{{ t }}{{ nothing }}{{ missing }}
{{ 1e16 }} {{ 1e15 }} {{ 123456789012345680.0 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1.0 }} {{ -0.0 }} {{ 1_000 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 1.5e3 }} {{ 2e-3 }}
{{ n + 1 }} {{ n - f }} {{ n * m }} {{ n / 2 }} {{ n // 2 }} {{ m // 2 }} {{ n % 3 }} {{ m % 5 }} {{ n ** 2 }} {{ 2 ** -1 }} {{ -n }} {{ +f }} {{ -2 ** 2 }}
{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 / 3 }} {{ 0.1 + 0.2 }} {{ 1 == 1.0 }} {{ t + 1 }} {{ 5 // 0.3 }}
{{ n / 0 }}
{{ 1 % 0 }}
{{ s + 1 }}
{{ s + nothing }}
{{ missing + 1 }}
{{ missing.x }}
{{ nothing.x }}|{{ nothing['x'] }}|{{ s.nope }}|{{ d.nope }}|{{ l[9] }}|{{ l.9 }}|{{ l.0 }}
{{ 'a' 'b' "c" }}{{ 'x' * 3 }}{{ 2 * 'ab' }}{{ [1] * 2 }}{{ [1] + [2] }}{{ (1,) + (2, 3) }}{{ 'a' ~ 1 ~ none ~ 2.0 ~ [1, 'x'] }}
{{ "\\n|\\t|\\x41|\\u00e9|\\U0001F600|\\101|\\q|\\\\|\\'|\\"" }}{{ 'line\\
joined' }}{{ '\u00e9\\\u00e9' }}
{{ 1 < 2 < 3 }}{{ 1 < 2 > 3 }}{{ 'a' < 'b' }}{{ [1, 2] < [1, 3] }}{{ n >= 7 and not m > 0 or false }}{{ 1 if t else 2 }}{{ 'x' if not t }}|{{ none or 'z' }}{{ 0 and 1 }}
{{ 'a' < 1 }}
{{ nothing < 1 }}
{{ 'World' in s }}{{ 'b' in d }}{{ 2 in l }}{{ 5 not in l }}{{ 1.0 in l }}{{ 'x' in missing }}{{ 3 in range(5) }}
{{ 1 in s }}
{{ 1 in nothing }}
{{ s[0] }}{{ s[-1] }}{{ s[1:3] }}{{ s[::-1] }}{{ s[:-2] }}{{ s[::2] }}{{ s[50:] }}|{{ l[1:] }}{{ l[::-1] }}{{ l[-2:] }}{{ l[5:2] }}{{ u[8:10] }}{{ u[-7:-4] }}{{ l[:none] }}
{{ d['a'] }}{{ d.a }}{{ d['items'] }}
{{ d.x.y[1] }}{{ d['x']['y'][-1] }}{{ d.get('a') }}{{ d.get('zz') }}{{ d.get('zz', 5) }}{{ d.keys()|list }}{{ d.values()|list }}{{ d.items()|list }}{{ d.items() }}{{ d.keys() }}
{{ {'a': 1, 2: [1, (1,), ()], none: {}, t: 'x', 'q': q} }}{{ mixed }}{{ (1, 'a') }}{{ [] }}{{ d|length }}
{{ {[1]: 2} }}
{{ 1.5|string + 'x' }}{{ [1.0, none, true, 'a\\nb']|string }}{{ range(3) }}{{ range(1, 10, 3)|list }}{{ range(5)[1:3]|list }}
{{ range(200000) }}
{{ s|upper }}{{ s|lower }}{{ s|title }}{{ s|capitalize }}{{ u|upper }}|{{ u|lower }}|{{ u|title }}|{{ u|capitalize }}|{{ u.title() }}|{{ u.swapcase() }}|{{ "they're bill's"|title }}{{ "they're bill's".title() }}
[{{ spaces|trim }}][{{ spaces.strip() }}][{{ spaces.lstrip() }}][{{ spaces.rstrip() }}][{{ 'xxaxx'.strip('x') }}][{{ 'xyaxy'.lstrip('yx') }}][{{ 'axy'|trim('y') }}][{{ none|trim }}]
{{ s.split(', ') }}{{ spaces.split() }}{{ 'a,b,,c'.split(',') }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}{{ ' a b c '.split(none, 1) }}{{ ' a b c '.rsplit(none, 1) }}{{ ''.split() }}{{ ''.split(',') }}{{ 'aaa'.split('aa') }}{{ 'aaa'.rsplit('aa') }}
{{ lines.splitlines() }}{{ lines.splitlines(true) }}{{ 'a-b-c'.partition('-') }}{{ 'a-b-c'.rpartition('-') }}{{ 'abc'.partition('x') }}
{{ s.split('') }}
{{ s.startswith('Hell') }}{{ s.endswith(('x', 'ld')) }}{{ s.startswith('ello', 1) }}{{ s.find('o') }}{{ s.rfind('o') }}{{ s.find('zz') }}{{ s.count('l') }}{{ s.count('') }}{{ s.index('W') }}{{ 'aaaa'.count('aa') }}{{ u.find('\U0001f600') }}
{{ s.replace('l', 'L') }}{{ s.replace('l', '', 2) }}{{ 'ab'.replace('', '-') }}{{ s|replace('o', 0) }}{{ s|replace('l', 'LL', 1) }}{{ 'aaa'.replace('aa', 'b') }}
{{ s.upper() }}{{ s.join(['a', 'b']) }}{{ ', '.join(words) }}{{ 'x'.zfill(4) }}{{ '-5'.zfill(4) }}{{ 'a'.ljust(3, '.') }}{{ 'a'.rjust(3, '.') }}{{ 'a'.center(4, '.') }}{{ 'ab'.center(5) }}|{{ 'a\\tb'.expandtabs(4) }}{{ s.removeprefix('Hello') }}{{ s.removesuffix('x') }}
{{ ','.join([1]) }}
{{ 'abc'.isalpha() }}{{ 'a1'.isalnum() }}{{ '12'.isdigit() }}{{ ' '.isspace() }}{{ ''.isspace() }}{{ 'Ab'.istitle() }}{{ 'ab'.islower() }}{{ 'AB'.isupper() }}{{ 'a_1'.isidentifier() }}{{ '1'.isupper() }}{{ 'a'.isascii() }}
{{ 'abc'|length }}{{ u|length }}{{ l|count }}{{ missing|length }}{{ d|list }}{{ 'abc'|list }}{{ l|first }}{{ l|last }}|{{ [] | first }}|{{ [] | last }}|{{ 'abc'|first }}{{ 'abc'|last }}{{ l|reverse|list }}{{ 'abc'|reverse }}
{{ none|length }}
{{ 5|length }}
{{ l|join('-') }}{{ words|join }}{{ people|join(', ', attribute='name') }}{{ mixed|join('|') }}{{ [1, [2]]|join(3) }}
{{ missing|default('x') }}{{ none|default('x') }}{{ none|default('x', true) }}{{ e|d('y', boolean=true) }}{{ missing|default }}|{{ d.zz|default(n) }}{{ false|default(1, true) }}
{{ l|sort }}{{ l|sort(reverse=true) }}{{ words|sort }}{{ words|sort(case_sensitive=true) }}{{ people|sort(attribute='age')|map(attribute='name')|list }}{{ people|sort(attribute='age,name')|map(attribute='name')|join(' ') }}
{{ [1, 'a']|sort }}
{{ words|unique|list }}{{ [1, 1.0, true, 2]|unique|list }}{{ words|unique(true)|list }}{{ l|min }}{{ l|max }}{{ words|min }}{{ words|max }}{{ []|min }}|{{ l|sum }}{{ people|sum(attribute='age') }}{{ l|sum(start=10) }}{{ [1.5, 2]|sum }}
{{ d|dictsort }}{{ d|dictsort(true) }}{{ {'a': 2, 'b': 1}|dictsort(by='value') }}{{ {'a': 2, 'b': 1}|dictsort(false, 'key', true) }}{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}{% for k, v in missing|items %}x{% endfor %}
{{ people|map(attribute='town.zip', default='-')|list }}{{ words|map('upper')|list }}{{ words|map('replace', 'p', 'P')|join(',') }}{{ people|map(attribute='age')|sum }}{{ [[1, 2], [3]]|map('first')|list }}{{ [[1, 2], [3]]|map(attribute=0)|list }}
{{ people|selectattr('age', 'equalto', 30)|map(attribute='name')|list }}{{ people|rejectattr('town')|list|length }}{{ people|selectattr('town', 'defined')|list|length }}{{ l|select('odd')|list }}{{ l|reject('gt', 2)|list }}{{ mixed|select('string')|list }}{{ [0, 1, '']|select|list }}{{ people|selectattr('age', '>', 20)|list|length }}{{ words|select('in', ['fig'])|list }}
{% for k, g in people|groupby('age') %}{{ k }}:{% for p in g %}{{ p.name }}{% endfor %};{% endfor %}{% for g in people|groupby('name') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}{{ l|batch(2)|list }}{{ l|batch(2, 0)|list }}{{ range(7)|slice(3)|list }}{{ range(7)|slice(3, 'x')|list }}
{{ '3.7'|int }}{{ ' 42 '|int }}{{ 'x'|int }}{{ 'x'|int(-1) }}{{ '0x1f'|int(0, 16) }}{{ 3.99|int }}{{ -3.99|int }}{{ '1_0'|int }}{{ true|int }}{{ none|int(5) }}{{ '1e3'|float }}{{ 'x'|float }}{{ 'inf'|float }}{{ '3'|float }}{{ -5|abs }}{{ -2.5|abs }}
{{ 2.5|round }}{{ 3.5|round }}{{ 2.675|round(2) }}{{ 42.55|round(1, 'floor') }}{{ 42.51|round(1, 'ceil') }}{{ 42|round }}{{ 1234|round(-2) }}{{ 1250|round(-2) }}{{ 1350|round(-2) }}{{ 2.5|round|int }}{{ 1000|filesizeformat }}{{ 1234567|filesizeformat(true) }}{{ 1|filesizeformat }}
{{ d|tojson }}{{ q|tojson }}{{ u|tojson }}{{ mixed|tojson }}{{ 1.0|tojson }}{{ 1e22|tojson }}{{ true|tojson }}{{ none|tojson }}{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}{{ (1, 2)|tojson }}{{ []|tojson }}{{ {}|tojson }}{{ big|tojson }}
{{ d|tojson(indent=2) }}{{ mixed|tojson(indent=4) }}{{ d|tojson(separators=(',', ':')) }}{{ d|tojson(sort_keys=true) }}{{ u|tojson(ensure_ascii=true) }}{{ d|tojson(indent=1, separators=(', ', '='), sort_keys=true) }}{{ {'a': []}|tojson(indent=2) }}{{ q|tojson(true) }}{{ l|tojson(indent='--') }}
{{ missing|tojson }}
{{ range(3)|tojson }}
{{ 'a\\nb\\n\\nc'|indent }}|{{ 'a\\nb'|indent(2, true) }}|{{ 'a\\n\\nb'|indent(1, blank=true) }}|{{ 'a\\nb'|indent('> ') }}|{{ 'a\\nb'|indent(width=3, first=true) }}|{{ ''|indent(first=true) }}
{{ '%s-%d-%5.2f-%r-%x-%05d-%-4s|%+d' % ('a', 3.7, 2.5, 'q', 255, 42, 'z', 5) }}{{ '%(a)s %(b)03d' % {'a': 1, 'b': 2} }}{{ '%s'|format(n) }}{{ '%%' % () }}{{ '%s' % [1] }}{{ '%5s|%.2s' % ('ab', 'abc') }}{{ '%e %g %G' % (12345.678, 1e-10, 1e20) }}
{{ '%d' % 'x' }}
{{ '%s %s' % ('a',) }}
{{ '{} {}'.format(1, 'a') }}{{ '{1}{0}{x}'.format(1, 2, x=3) }}{{ '{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd') }}{{ '{:05d}|{:,}|{:.2f}|{:x}|{:#x}|{:e}|{:%}|{:+}'.format(42, 1234567, 2.5, 255, 255, 1.5, 0.5, 3) }}{{ '{0[a]}{0.x}{1[0]}'.format(d, l) }}{{ '{!r}'.format('a') }}{{ '{{}}'.format() }}{{ '{:{}}|'.format('a', 4) }}{{ '{}'.format(none) }}{{ '{:g} {:.3} {}'.format(0.1, 2.0, 1.0) }}
{{ '{}'.format() }}
{{ '{:d}'.format('x') }}
{{ 'abcdefghij klm nop'|truncate(12) }}{{ 'abcdefghij klm nop'|truncate(10, true) }}{{ 'abcdefghij klm nop'|truncate(12, false, '!', 0) }}{{ 'a b-c d'|wordcount }}{{ 'a b/c?\u00e9'|urlencode }}{{ {'a b': 1}|urlencode }}[{{ 'ab'|center(6) }}]
{{ '<b>'|e }}{{ '<b>'|escape|escape }}{{ '<b>'|forceescape }}{{ '<b>'|safe }}{{ '<' + ('<b>'|safe) }}{{ ('<b>'|safe) + '<' }}{{ '<' ~ ('<b>'|safe) }}{{ ('%s'|safe) % '<' }}{{ ('<b>'|safe)|upper + '<' }}{{ ('<b> '|safe).strip() + '<' }}{{ ['<', '<b>'|safe]|join }}{{ ('a'|safe) is escaped }}
{{ n is defined }}{{ missing is defined }}{{ missing is undefined }}{{ nothing is none }}{{ s is string }}{{ d is mapping }}{{ l is sequence }}{{ s is sequence }}{{ d is sequence }}{{ n is sequence }}{{ l is iterable }}{{ n is iterable }}{{ n is number }}{{ t is number }}{{ t is integer }}{{ n is integer }}{{ f is float }}{{ t is boolean }}{{ t is true }}{{ 1 is true }}{{ false is false }}{{ d.items() is sequence }}{{ missing is iterable }}{{ missing is sequence }}
{{ 3 is odd }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(4) }}{{ n is eq 7 }}{{ n is gt(3) }}{{ n is not lt 3 }}{{ 'a' is in ['a'] }}{{ 1 is sameas 1 }}{{ 'ab' is lower }}{{ 'AB' is upper }}{{ 'upper' is filter }}{{ 'nope' is filter }}{{ 'odd' is test }}{{ range is callable }}{{ n is not none and n is ne 8 }}{{ s is string and s is not mapping }}
{{ l is mapping or l is sequence and not l is string }}{{ not missing is defined }}{{ 1 if n is defined and n else 0 }}{{ 'a' if x is defined else 'b' }}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }};{% else %}none{% endfor %}
{% for x in none_at_all %}x{% else %}none{% endfor %}{% for x in [] %}{% else %}e{% endfor %}{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }}{% endfor %}{% for c in 'ab' %}{{ c }}.{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a + b + c }}{% endfor %}
{% for x in nothing %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for x in l if x != 1 %}{{ x }}{{ loop.index }}/{{ loop.length }} {% endfor %}{% for x in l if x > 9 %}{% else %}nothing{% endfor %}{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in [1, [2, [3]]] recursive %}{{ loop.depth }}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}
{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}{% if t %}{% set x = 9 %}{% endif %}{{ x }}{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c %}in {{ a }}{% set a = 5 %}{% endset %}{{ c }}{{ a }}{% set z | upper | trim %} up {% endset %}[{{ z }}]
{% set ns = namespace(a=1, b=[]) %}{% for i in l %}{% set ns.a = ns.a + i %}{% set ns.b = ns.b + [i] %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.zz }}{{ ns['a'] }}{% set ns.c = ns.a %}{{ ns.c }}{% set n2 = namespace({'q': 1}, r=2) %}{{ n2.q }}{{ n2.r }}{% set ns.a, k = 5, 6 %}{{ ns.a }}{{ k }}
{% set n.a = 1 %}
{% set ns = namespace() %}{% set ns._a = 1 %}
{% macro m(a, b=2, c=a) %}[{{ a }}{{ b }}{{ c }}{{ varargs }}{{ kwargs }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c=4) }}{{ m(b=5, a=6) }}{{ m(1, 2, 3, 4, x=5) }}{{ m() }}{{ m.name }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=1) }}
{% macro m(a) %}<{{ a }}{{ caller() }}{{ caller(5) if false }}>{% endmacro %}{% call m(1) %}body{{ n }}{% endcall %}{% macro k() %}{{ caller(1, b=2) }}{% endmacro %}{% call(a, b) k() %}{{ a }}{{ b }}{% endcall %}{% macro o(x) %}{{ x }}{% if x > 0 %}{{ o(x - 1) }}{% endif %}{% endmacro %}{{ o(3) }}
{% macro m() %}{% set n = 99 %}{{ n }}{% endmacro %}{{ m() }}{{ n }}{% macro w() %}{{ later }}{% endmacro %}{% set later = 5 %}{{ w() }}{% for i in l %}{% macro y() %}{{ i }}{% endmacro %}{{ y() }}{% endfor %}
{% with a = 1, b = n %}{{ a }}{{ b }}{% set n = 2 %}{{ n }}{% endwith %}{{ n }}{{ a }}{% with %}{% set q = 1 %}{{ q }}{% endwith %}{% filter upper %}ab{{ s }}{% endfilter %}{% filter replace('a', 'b')|upper %}aaa{% endfilter %}{% print n %}{% print n, 's' %}{% block b %}in{{ n }}{% endblock %}{% block c scoped %}{% endblock c %}
{% raw %}{{ not }} {% this %}{% endraw %}|{%- raw -%}  x  {%- endraw -%}  |{# comment {{ #}|{#- c -#} |{{- ' a ' -}} |
  {% if t %}
    inside
  {% endif %}
after {%+ if t %} kept {% endif +%}
  x{%- if t -%}   y   {%- endif %}   z
a {# c #}
  {# d #}
b
{% if n == 1 %}a{% elif n == 7 %}b{% elif missing.x %}c{% else %}d{% endif %}{% if not t %}{% else %}e{% endif %}{% if missing %}{% endif %}{% if l, %}tuple{% endif %}
{{ dict(a=1, b=2) }}{{ dict([('x', 1)], y=2) }}{{ dict(d).b }}{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set j = joiner('+') %}{{ j() }}1{{ j() }}2{{ j() }}3
{{ strftime_now('%Y-%m-%d %H:%M:%S %d %b %B %a %A %j %y %I %p %-d %e %%') }}
{{ raise_exception('no ' ~ n) }}
{{ l.append(4) }}
{{ d.update({}) }}{{ d.pop('a') }}
{{ l.index(1) }}{{ l.count(3) }}{{ (1, 2).index(2) }}{{ d.copy() == d }}
{{ l.index(99) }}
{{ s.__class__ }}{{ d.__class__ }}|{{ s|attr('upper') is callable }}{{ d|attr('b') }}
{{ s.__class__.x }}
{{ unknown() }}
{{ n() }}
{{ n|nofilter }}
{{ n is notest }}
{% include 'x' %}
{% if false %}{% include 'x' %}{% endif %}ok
{{ f(*[1, 2], **{'a': 3}) }}
{{ range(*[1, 4])|list }}{{ dict(**{'a': 3}) }}
{{ [1, 2, 3][1:]|map('string')|join('+') }}{{ (n|string)[0] }}{{ -n|abs }}{{ (1, 2)[0] }}{{ {'a': {'b': 1}}.a.b }}{{ 'a'|upper ~ 'b' }}{{ 1 + 2|float }}{{ s|length > 3 }}{{ not s|length > 3 }}
{{ 'a' if n > 100 else 'b' if n > 5 else 'c' }}{{ (missing or {}).x }}{{ (d.x or {}).get('y')|last }}{{ [n, m][t] }}{{ l[t] }}{{ none == missing }}{{ missing == other }}{{ [] == none }}{{ 'é' == 'e\u0301' }}
{% generation %}gen{% set n = 1 %}{% endgeneration %}{{ n }}{{ caller is defined }}{{ loop is defined }}
{% set r = l|map('string') %}{{ r|join(',') }}|{{ r|join(',') }}{{ 'y' if []|select else 'n' }}
{{ '\u00e9'|upper }}{% set \u00e9t\u00e9 = 1 %}{{ \u00e9t\u00e9 }}{{ {"a":1}["a"] }}{{ {'a': 1,} }}{{ [1, 2,] }}{{ (1,) }}{{ () }}
{{ 1
   + 2 }}{% set
   a = 5 %}{{
a }}
"""


def render(template, variables):
    try:
        return reference._compile_jinja_template(template).render(**json.loads(json.dumps(variables)))
    except RecursionError:
        raise
    except Exception:  # whatever Python raises counts as a refusal
        return None


def snippets():
    """Lines, but those that a tag goes on in stay together, and so does the block of whitespace."""
    out, lines = [], SNIPPETS.strip("\n").split("\n")
    while lines:
        take = 1
        if lines[0].startswith("{% raw %}"):
            take = 8
        text = "\n".join(lines[:take])
        while text.count("{{") + text.count("{%") > text.count("}}") + text.count("%}") and take < len(lines) and take < 8:
            take += 1
            text = "\n".join(lines[:take])
        out.append(text)
        lines = lines[take:]
    return out


def conversations():
    sys.path.insert(0, str(ROOT / "tools"))
    import compare_chat_templates as compare

    wanted = ("user", "system turns", "unicode", "specials in text", "null content", "parts", "reasoning", "tools",
              "calls dict", "call string", "documents", "continue", "continue trimmed", "enable_thinking=False", "two users")
    return {name: case for name, case in compare.conversations() if name in wanted}


def laid_out(template, case, prompt):
    try:
        texts, _ = reference.render_jinja_template(
            [json.loads(json.dumps(case["messages"]))], tools=case.get("tools"), documents=case.get("documents"),
            chat_template=template, add_generation_prompt=prompt,
            continue_final_message=case.get("continue_final_message", False), **TOKENS, **case.get("variables", {}))
    except Exception:
        return None
    return texts[0]


class FixedTime(datetime_module.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime_module.datetime.fromtimestamp(NOW, tz)


def make():
    reference.datetime = FixedTime
    chats = conversations()
    cases = {"versions": {"jinja2": jinja2.__version__, "transformers": transformers.__version__}, "now": NOW,
             "tokens": TOKENS, "variables": VARIABLES, "conversations": chats,
             "snippets": [{"template": t, "text": render(t, VARIABLES)} for t in snippets()], "chats": []}
    for file in sorted(FOLDER.glob("*.jinja")):
        template = file.read_text()
        for name, case in chats.items():
            for prompt in (False, True):
                if not (prompt and case.get("continue_final_message")):
                    cases["chats"].append({"template": file.name, "conversation": name, "prompt": prompt,
                                           "text": laid_out(template, case, prompt)})
    return json.dumps(cases, ensure_ascii=True, indent=0) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    if (jinja2.__version__, transformers.__version__) != VERSIONS:
        print(f"skipped: needs jinja2 {VERSIONS[0]} and transformers {VERSIONS[1]}")
        return 77 if check else 1
    text = make()
    target = FOLDER / "cases.json"
    if check:
        same = target.read_text() == text
        print("equal" if same else f"{target} differs from what the libraries make")
        return 0 if same else 1
    target.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
