// What a template from a stranger may do: nothing but text, within limits, with a message that says
// where it was stopped.
#include <gtest/gtest.h>

#include "lathe/text/chat/test_support.h"

namespace lathe::chat {
namespace {

/// Less than the limits of every day, to spare the time of tests.
constexpr Limits kFew = {.steps = 300'000, .memory = 16 << 20, .text = 1 << 20};

void expect_refusal(const std::string& source, const std::string& message) {
  const std::string got = refusal(source, Tree::table(), kFew);
  EXPECT_NE(got.find(message), std::string::npos)
      << source.substr(0, 200) << "\n  " << got << "\n  expected: " << message;
}

TEST(ChatLimits, RecursionIsStopped) {
  expect_refusal("{% macro x() %}{{ x() }}{% endmacro %}{{ x() }}", "200 macro calls");
  expect_refusal(
      "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
      "macro calls");
  expect_refusal("{% macro x() %}{% call x() %}{{ caller() }}{% endcall %}{% endmacro %}{{ x() }}",
                 "macro calls");
  expect_refusal("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}", "levels into itself");
  expect_refusal("{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}", "macro calls");
}

TEST(ChatLimits, NestingIsStopped) {
  const int many = 100'000;
  expect_refusal("{{ " + repeat("(", many) + "1" + repeat(")", many) + " }}", "nested too deep");
  expect_refusal("{{ " + repeat("[", many) + repeat("]", many) + " }}", "nested too deep");
  expect_refusal("{{ " + repeat("{1:", many) + "1" + repeat("}", many) + " }}", "nested too deep");
  expect_refusal("{{ " + repeat("not ", many) + "1 }}", "nested too deep");
  expect_refusal("{{ " + repeat("-", many) + "1 }}", "nested too deep");
  expect_refusal("{{ " + repeat("1 if 1 else ", many) + "1 }}", "nested too deep");
  expect_refusal(repeat("{% if 1 %}", many) + repeat("{% endif %}", many), "nested too deep");
  expect_refusal("{% for " + repeat("(", many) + "a" + repeat(")", many) + " in b %}{% endfor %}",
                 "nested too deep");
  for (const char* link : {"+1", ".a", "|e", "[0]", "()", "**1"})
    expect_refusal("{{ a" + repeat(link, many) + " }}", "too long or too deep");
}

TEST(ChatLimits, LongButFlatIsFine) {
  const int many = 20'000;
  EXPECT_EQ(rendered("{{ [" + repeat("1,", many) + "]|length }}"), std::to_string(many));
  EXPECT_EQ(rendered("{{ ''" + repeat(" ~ 'a'", many) + " }}").size(), many);
  EXPECT_EQ(rendered("{% if 0 %}" + repeat("{% elif 0 %}", many) + "{% else %}x{% endif %}"), "x");
  EXPECT_EQ(rendered("{{ '" + std::string(1 << 20, 'x') + "' }}").size(), 1u << 20);
  EXPECT_EQ(rendered(repeat("{% set a = 1 %}", many) + "{{ a }}"), "1");
}

TEST(ChatLimits, WorkIsCounted) {
  expect_refusal("{% for i in range(10**4) %}{% for j in range(10**4) %}{% endfor %}{% endfor %}",
                 "steps");
  expect_refusal(
      "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}"
      "{% endfor %}{{ n.x }}",
      "stopped");
  expect_refusal(
      "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}"
      "{% endfor %}{{ n.x == [n.x, n.x] }}",
      "steps");
  expect_refusal(
      "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% for j in range(50000) %}"
      "{% set n.x = n.x + 'ab' %}{% endfor %}{% endfor %}",
      "stopped");
  expect_refusal(
      "{% set a = range(99999)|list %}{% for i in range(99999) %}{{ a == a[::-1] }}{% endfor %}",
      "steps");
  expect_refusal(
      "{% set a = 'a' * 1000000 %}{% for i in range(99999) %}{% set b = a|upper %}{% endfor %}",
      "steps");
}

TEST(ChatLimits, MemoryIsCounted) {
  expect_refusal("{{ 'a' * 10**9 }}", "bytes");
  expect_refusal("{{ [0] * 10**9 }}", "bytes");
  expect_refusal("{{ range(10**9) }}", "Range too big");
  expect_refusal("{{ range(0, 2**62, 2**61) }}", "Range too big");
  expect_refusal(
      "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x * 2 %}{% endfor %}",
      "bytes");
  expect_refusal(
      "{% set n = namespace(x=[0]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
      "stopped");
  expect_refusal(
      "{% set n = namespace(x=[]) %}{% for i in range(99) %}{% set n.x = n.x + ['a' * 900000] %}"
      "{% endfor %}",
      "memory");
  expect_refusal("{% for i in range(99999) %}{{ 'a' * 100000 }}{% endfor %}", "bytes");
  expect_refusal("{{ 'a'.ljust(10**10) }}", "bytes");
  expect_refusal("{{ '%1000000000d' % 1 }}", "width");
  expect_refusal("{{ '%.1000000000f' % 1.5 }}", "width");
  expect_refusal("{{ '{:1000000000}'.format(1) }}", "width");
  expect_refusal("{{ 'a\\nb'|indent(10**10) }}", "bytes");
  expect_refusal("{{ [1]|tojson(indent=10**10) }}", "bytes");
  expect_refusal("{{ ('a' * 10000)|replace('a', 'b' * 10000) }}", "bytes");
  expect_refusal("{{ ('a' * 10000).replace('', 'b' * 10000) }}", "bytes");
  expect_refusal("{{ [1]|batch(10**10, 'x')|list }}", "bytes");
  expect_refusal("{{ 'a'|center(10**12) }}", "bytes");
}

TEST(ChatLimits, NothingRefersToItself) {
  // Namespaces may hold themselves and each other, in long chains: nothing leaks, nothing recurses.
  EXPECT_EQ(rendered("{% set n = namespace() %}{% set n.a = n %}{% set n.b = [n] %}{{ n.a.a.b[0] "
                     "is defined }}"),
            "True");
  EXPECT_EQ(
      rendered(
          "{% set n = namespace(x=1) %}{% for i in range(50000) %}{% set m = namespace(x=n.x) %}"
          "{% set n.x = m %}{% endfor %}ok"),
      "ok");
  EXPECT_EQ(rendered("{% set n = namespace() %}{% macro m() %}{{ n.m is defined }}{% endmacro %}"
                     "{% set n.m = m %}{{ n.m() }}"),
            "True");
  EXPECT_EQ(rendered("{% set n = namespace() %}{% for i in [1, 2] %}{% set n.l = loop %}"
                     "{{ loop.changed(loop) }}{% set j = 5 %}{% macro m() %}{{ j }}{% endmacro %}"
                     "{% set n.m = m %}{% endfor %}{{ n.m() }}{{ n.l.first }}"),
            "TrueFalse5True");
  expect_refusal(
      "{% set n = namespace(x=[]) %}{% for i in range(999) %}{% set n.x = [n.x] %}{% endfor %}",
      "nested more than");
}

TEST(ChatLimits, NothingBeyondTheTemplate) {
  EXPECT_EQ(rendered("{{ ''.__class__ }}{{ messages.__init__ }}{{ namespace.__globals__ }}"), "");
  expect_refusal("{{ ''.__class__.__mro__ }}", "'str object' has no attribute '__class__'");
  expect_refusal("{{ ''|attr('__class__')|attr('__mro__') }}", "has no attribute");
  expect_refusal("{{ '{0.__class__.__mro__}'.format(1) }}", "has no attribute");
  expect_refusal("{% include '/etc/passwd' %}", "'include' is not supported");
  expect_refusal("{% import 'os' as os %}", "'import' is not supported");
  expect_refusal("{% from 'os' import x %}", "'from' is not supported");
  expect_refusal("{% extends 'x' %}", "'extends' is not supported");
  expect_refusal("{{ messages.append(1) }}", "'list object' has no attribute 'append'");
  expect_refusal("{{ messages[0].update({}) }}", "'dict object' has no attribute 'update'");
  expect_refusal("{{ open('/etc/passwd') }}", "'open' is undefined");
}

TEST(ChatLimits, RefusalsSayWhere) {
  EXPECT_EQ(refusal("a\n  {{ x.y }}"), "t:2:7: 'x' is undefined");
  EXPECT_EQ(refusal("é {{ 1 / 0 }}"), "t:1:8: division by zero");
  EXPECT_EQ(refusal("{% if x %}"), "t:1:11: the template ends, expected '{% endif %}'");
  EXPECT_EQ(refusal("{{ 1 + }}"), "t:1:8: expected an expression, got '}}'");
  EXPECT_EQ(refusal("{% foo %}"), "t:1:4: unknown tag 'foo'");
  EXPECT_EQ(refusal("{{ 'a }}"), "t:1:4: the string does not end");
  EXPECT_EQ(refusal("{# a"), "t:1:1: expected '#}', the comment does not end");
  EXPECT_EQ(refusal("{{ (1] }}"), "t:1:6: unexpected ']', expected ')'");
  EXPECT_EQ(refusal("{{ raise_exception('no: ' ~ 1) }}"),
            "t:1:19: the template refuses this: no: 1");
  EXPECT_EQ(refusal("{{ messages|nope }}"), "t:1:13: no filter is named 'nope'");
  EXPECT_EQ(refusal("{% for x in 1 %}{% endfor %}"), "t:1:4: 'int' object is not iterable");
  EXPECT_EQ(refusal("{% macro m() %}\n{{ a + 1 }}{% endmacro %}\n{{ m() }}"),
            "t:2:6: 'a' is undefined");
}

TEST(ChatLimits, OddTemplatesAreText) {
  EXPECT_EQ(rendered(""), "");
  EXPECT_EQ(rendered("{"), "{");
  EXPECT_EQ(rendered("{ {% raw %}{{{% endraw %}"), "{ {{");
  EXPECT_EQ(rendered(std::string("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(rendered("\xFF{{ '\xFF\xC3' }}\xF0\x9F"), "\xFF\xFF\xC3\xF0\x9F");
  EXPECT_EQ(rendered("{{ '\xFF\xC3(' | upper | length }}"), "3");
}

TEST(ChatLimits, LongConversationsRaiseTheLimits) {
  Tree messages;
  messages.kind = Tree::Kind::array;
  for (int i = 0; i < 20'000; ++i) {
    Tree message = Tree::table();
    message.add("role", Tree::of(std::string(i % 2 == 0 ? "user" : "assistant")));
    message.add("content", Tree::of(std::string(500, 'x')));
    messages.items.push_back(std::move(message));
  }
  const auto parsed = ChatTemplate::parse(
      "{% for m in messages %}{% if m.role == 'user' %}[{{ m.content|trim }}]{% else %}"
      "{{ m['content'] ~ eos_token }}{% endif %}{% endfor %}");
  const Rendered all = parsed.render({.messages = std::move(messages)},
                                     {.limits = {.steps = 1000, .memory = 1000, .text = 1000}});
  EXPECT_EQ(all.text.size(), 20'000u * 501);
}

}  // namespace
}  // namespace lathe::chat
