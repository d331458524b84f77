#include "lathe/text/tokenize/bpe_train.h"

#include <gtest/gtest.h>

#include "lathe/base/error.h"
#include "lathe/base/parallel.h"
#include "lathe/text/tokenize/test_support.h"

namespace lathe::tokenize {
namespace {

TextSource source_of(const std::vector<std::string>& texts) {
  return [&texts](const std::function<void(std::string_view)>& use) {
    for (const std::string& text : texts) use(text);
  };
}

BpeTrainOptions golden_options(const std::string& name) {
  const Json& trained = golden_cases().get("trained", "cases").get(name, "trained");
  BpeTrainOptions options;
  options.pattern = name;
  options.vocab_size = trained.get("vocab_size", name).as_integer("vocab_size");
  options.min_frequency = trained.get("min_frequency", name).as_integer("min_frequency");
  options.special_tokens = strings(golden_cases().get("special", "cases"));
  return options;
}

TEST(BpeTrain, MergesAreThoseOfTokenizers) {
  const std::vector<std::string> lines = strings(golden_cases().get("lines", "cases"));
  for (const char* name : {"gpt2", "gpt4"})
    EXPECT_EQ(train_bpe(golden_options(name), source_of(lines))->to_json(),
              golden_text(std::string(name) + ".json"));
}

TEST(BpeTrain, OrderAndThreadsDoNotMatter) {
  std::vector<std::string> texts;
  Draw draw(20);
  for (int i = 0; i < 400; ++i) texts.push_back(draw.text(30) + draw.bytes(draw.below(4)));
  BpeTrainOptions options;
  options.vocab_size = 600;
  const int threads = thread_count();
  set_thread_count(1);
  const std::string one = train_bpe(options, source_of(texts))->to_json();
  set_thread_count(3);
  std::reverse(texts.begin(), texts.end());
  const std::string three = train_bpe(options, source_of(texts))->to_json();
  set_thread_count(threads);
  EXPECT_EQ(one, three);
}

TEST(BpeTrain, TextLargerThanABatch) {
  const std::vector<std::string> texts(40, [] {
    std::string text;
    while (text.size() < (1u << 18)) text += "a bb ccc dddd ";
    return text;
  }());
  BpeTrainOptions options;
  options.vocab_size = 300;
  std::int64_t bytes = 0;
  bool merged = false;
  options.progress = [&](const TrainProgress& progress) {
    EXPECT_GE(progress.bytes, bytes);
    bytes = progress.bytes;
    merged |= progress.merging;
  };
  const auto tokenizer = train_bpe(options, source_of(texts));
  EXPECT_EQ(bytes, 40 * static_cast<std::int64_t>(texts[0].size()));
  EXPECT_TRUE(merged);
  EXPECT_EQ(tokenizer->encode(" dddd ccc").size(), 2u);
  EXPECT_LT(tokenizer->vocab_size(), 300);  // all words are tokens already
}

TEST(BpeTrain, MinFrequencyEndsTheMerging) {
  const std::vector<std::string> texts = {"abab abab xy xy q"};
  BpeTrainOptions options;
  options.special_tokens = {};
  options.vocab_size = 400;
  options.min_frequency = 3;
  const auto tokenizer = train_bpe(options, source_of(texts));
  EXPECT_TRUE(tokenizer->id_of("ab"));
  EXPECT_FALSE(tokenizer->id_of("xy"));
}

TEST(BpeTrain, EmptyTextGivesTheBytes) {
  BpeTrainOptions options;
  options.vocab_size = 1000;
  const auto tokenizer = train_bpe(options, source_of({}));
  EXPECT_EQ(tokenizer->vocab_size(), 257);
  const std::string bytes = Draw(21).bytes(100);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(bytes)), bytes);
}

TEST(BpeTrain, ALongWordIsNoTrap) {
  Draw draw(22);
  std::string word;
  for (int i = 0; i < 1 << 20; ++i) word.push_back(static_cast<char>('a' + draw.below(20)));
  BpeTrainOptions options;
  options.vocab_size = 3000;
  const std::vector<std::string> texts = {word};
  EXPECT_EQ(train_bpe(options, source_of(texts))->vocab_size(), 3000);
}

TEST(BpeTrain, BadOptionsAreNamed) {
  const auto message = [](auto change) {
    BpeTrainOptions options;
    change(options);
    try {
      train_bpe(options, source_of({}));
    } catch (const Error& error) {
      EXPECT_NE(error.code(), ErrorCode::kInternal);
      return error.message();
    }
    return std::string("accepted");
  };
  const auto contains = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  contains(message([](auto& o) { o.vocab_size = 256; }), "vocabulary size: expected 257");
  contains(message([](auto& o) { o.vocab_size = std::int64_t{1} << 40; }), "vocabulary size");
  contains(message([](auto& o) { o.special_tokens = {"<a>", "<a>"}; }), "special tokens");
  contains(message([](auto& o) { o.special_tokens = {""}; }), "special tokens");
  contains(message([](auto& o) { o.min_frequency = -1; }), "min_frequency");
  contains(message([](auto& o) { o.pattern = "gpt5("; }), "gpt5(");
}

TEST(BpeTrain, AFailingPatternFailsTheTraining) {
  BpeTrainOptions options;
  options.vocab_size = 300;
  options.pattern = "(a+)+$";
  const std::vector<std::string> texts = {std::string(40, 'a') + "!"};
  EXPECT_THROW(train_bpe(options, source_of(texts)), Error);
}

}  // namespace
}  // namespace lathe::tokenize
