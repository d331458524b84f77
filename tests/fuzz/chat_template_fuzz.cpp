// Chat templates: parsed and rendered, or refused with lathe::Error. Up to the first zero byte the
// input is the template, behind it a list of messages as JSON.
#include <string>
#include <string_view>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/text/chat/chat_template.h"

namespace {

using lathe::ErrorCode;

constexpr std::string_view kMessages = R"([
  {"role": "system", "content": "Be <b>brief</b>."},
  {"role": "user", "content": [{"type": "text", "text": "h\u00e9 <s>"}, {"type": "image"}]},
  {"role": "assistant", "content": null, "reasoning": "hm", "tool_calls": [{"id": "1",
   "function": {"name": "f", "arguments": {"a": [1, 2.5, true, {"b": "\u4f60"}]}}}]},
  {"role": "tool", "content": "{\"x\": 1}"}, {"role": "user", "content": " more "}])";
constexpr std::string_view kTools = R"([{"type": "function", "function": {"name": "f",
  "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "string"}},
  "required": ["a"]}}}])";

/// A refused template is what most inputs are; everything else is a finding.
void expect_refusal(const lathe::Error& error) {
  if (error.code() != ErrorCode::kInvalidArgument && error.code() != ErrorCode::kUnsupported)
    throw error;
}

lathe::Tree messages_of(std::string_view json) {
  try {
    return lathe::parse_json(json, "messages");
  } catch (const lathe::Error& error) {
    expect_refusal(error);
    return lathe::parse_json(kMessages, "messages");
  }
}

void render(const lathe::chat::ChatTemplate& parsed, lathe::chat::Conversation conversation) {
  lathe::chat::RenderOptions options;
  options.limits = {.steps = 100'000, .memory = 32 << 20, .text = 1 << 20};
  options.now = 1'700'000'000;
  try {
    const lathe::chat::Rendered rendered = parsed.render(conversation, options);
    std::size_t end = 0;
    for (const auto& run : rendered.text.runs()) {
      LATHE_CHECK(run.begin == end && run.end > run.begin);
      end = run.end;
    }
    LATHE_CHECK(end == rendered.text.size());
  } catch (const lathe::Error& error) {
    expect_refusal(error);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = std::min(input.find('\0'), size);
  try {
    const auto parsed = lathe::chat::ChatTemplate::parse(input.substr(0, zero), "fuzz");
    lathe::chat::Conversation conversation;
    conversation.messages = messages_of(zero < size ? input.substr(zero + 1) : kMessages);
    conversation.tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
    render(parsed, conversation);
    conversation.tools = lathe::parse_json(kTools, "tools");
    conversation.add_generation_prompt = true;
    conversation.variables.add("s", lathe::Tree::of(std::string("a \xC3\xA9\n\xF0\x9F\x98\x80 b")));
    conversation.variables.add("n", lathe::Tree::of(std::int64_t{-7}));
    conversation.variables.add("f", lathe::Tree::of(2.5));
    conversation.continue_final_message = size % 2 == 0;
    render(parsed, conversation);
  } catch (const lathe::Error& error) {
    expect_refusal(error);
  }
  return 0;
}
