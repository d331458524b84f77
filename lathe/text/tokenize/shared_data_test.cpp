// Published tokenizers against ids made with tiktoken: data that lies beside the repository, in
// LATHE_SHARED or ../shared. Skipped, and said so, where it is absent.
#include <gtest/gtest.h>
#include <lzma.h>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_alphabet.h"
#include "lathe/text/tokenize/test_gguf.h"
#include "lathe/text/tokenize/test_support.h"
#include "lathe/text/tokenize/tiktoken_file.h"

namespace lathe::tokenize {
namespace {

std::filesystem::path tokenizers_folder() {
  const char* given = std::getenv("LATHE_SHARED");
  const std::filesystem::path shared =
      given != nullptr ? std::filesystem::path(given) : source_root().parent_path() / "shared";
  return shared / "data/tokenizers";
}

std::string unpacked(const std::string& name) {
  const std::string packed = real_files().read_all((tokenizers_folder() / (name + ".xz")).string());
  std::string out(64 << 20, '\0');
  std::uint64_t limit = UINT64_MAX;
  std::size_t in_at = 0, out_at = 0;
  const lzma_ret result = lzma_stream_buffer_decode(
      &limit, 0, nullptr, reinterpret_cast<const std::uint8_t*>(packed.data()), &in_at,
      packed.size(), reinterpret_cast<std::uint8_t*>(out.data()), &out_at, out.size());
  if (result != LZMA_OK) fail(ErrorCode::kCorrupt, "{}: lzma error {}", name, int{result});
  out.resize(out_at);
  return out;
}

class SharedData : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(tokenizers_folder()))
      GTEST_SKIP() << "no published tokenizers at " << tokenizers_folder()
                   << "; set LATHE_SHARED to the folder that holds data/tokenizers";
  }

  static void expect_vectors(const Tokenizer& tokenizer, const std::string& name) {
    const std::string lines = unpacked(name);
    int count = 0;
    for (std::size_t at = 0; at < lines.size(); ++count) {
      const std::size_t end = lines.find('\n', at);
      const Json line = parse_json(std::string_view(lines).substr(at, end - at));
      const std::string& text = line.get("text", "line").as_string("text");
      const std::vector<std::int32_t> ids = integers(line.get("ids", "line"));
      EXPECT_EQ(tokenizer.encode(text), ids) << text;
      EXPECT_EQ(tokenizer.decode(ids), text);
      at = end == std::string::npos ? lines.size() : end + 1;
    }
    EXPECT_GT(count, 400);
  }
};

TEST_F(SharedData, Cl100k) {
  const auto tokenizer =
      from_tiktoken(unpacked("cl100k_base.tiktoken"), unpacked("cl100k_base.json"));
  expect_vectors(*tokenizer, "vectors_cl100k_base.jsonl");
  EXPECT_EQ(tokenizer->eos_id(), 100257);
}

TEST_F(SharedData, O200k) {
  const auto tokenizer =
      from_tiktoken(unpacked("o200k_base.tiktoken"), unpacked("o200k_base.json"));
  expect_vectors(*tokenizer, "vectors_o200k_base.jsonl");
}

TEST_F(SharedData, Gpt2) {
  const Json vocab = parse_json(unpacked("gpt2_encoder.json"));
  ByteLevelBpeSpec spec;
  for (const auto& [text, id] : vocab.as_object("vocab"))
    spec.vocab.emplace_back(text, static_cast<std::int32_t>(id.as_integer("id")));
  const std::string merges = unpacked("gpt2_vocab.bpe");
  for (std::size_t at = merges.find('\n') + 1; at < merges.size();) {  // after "#version"
    const std::size_t space = merges.find(' ', at), end = merges.find('\n', at);
    spec.merges.emplace_back(merges.substr(at, space - at),
                             merges.substr(space + 1, end - space - 1));
    at = end == std::string::npos ? merges.size() : end + 1;
  }
  spec.pre_tokenizer = parse_json(R"({"type":"ByteLevel","add_prefix_space":false})");
  expect_vectors(ByteLevelBpe(std::move(spec)), "vectors_gpt2.jsonl");
}

/// "<name>.inp" holds texts with a line between, "<name>.out" their ids, one text a line.
void expect_llama_cpp_vectors(const std::string& name) {
  const std::string file = "ggml-vocab-" + name + ".gguf";
  const std::string gguf = unpacked(file);
  const auto tokenizer = from_vocabulary(TestGguf(gguf).vocabulary());
  const std::string texts = unpacked(file + ".inp"), ids = unpacked(file + ".out");
  constexpr std::string_view kBetween = "\n__ggml_vocab_test__\n";
  std::size_t text_at = 0, ids_at = 0;
  int count = 0;
  while (ids_at < ids.size()) {
    const std::size_t text_end = std::min(texts.find(kBetween, text_at), texts.size());
    const std::size_t ids_end = std::min(ids.find('\n', ids_at), ids.size());
    const std::string text = texts.substr(text_at, text_end - text_at);
    std::string expected = ids.substr(ids_at, ids_end - ids_at), got;
    for (const std::int32_t id : tokenizer->encode(text)) got += " " + std::to_string(id);
    EXPECT_EQ(got, expected) << name << ": '" << text << "'";
    text_at = std::min(text_end + kBetween.size(), texts.size());
    ids_at = ids_end + 1;
    ++count;
  }
  EXPECT_GT(count, 40);
}

TEST_F(SharedData, LlamaCppVectors) {
  for (const char* name :
       {"gpt-2", "falcon", "starcoder", "deepseek-coder", "llama-spm", "phi-3", "bert-bge"})
    expect_llama_cpp_vectors(name);
}

TEST_F(SharedData, PublishedTokenizerJson) {
  for (const char* name : {"gpt_neox_20B_tokenizer.json", "tiny_bpe_tokenizer.json"}) {
    const auto tokenizer = parse_tokenizer(unpacked(name));
    EXPECT_TRUE(tokenizer->eos_id());
    EXPECT_EQ(parse_tokenizer(tokenizer->to_json())->to_json(), tokenizer->to_json());
    const std::string text = "The quick brown fox\n    jumps over 13 lazy dogs.";
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

}  // namespace
}  // namespace lathe::tokenize
