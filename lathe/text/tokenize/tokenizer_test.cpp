#include "lathe/text/tokenize/tokenizer.h"

#include <gtest/gtest.h>

#include "lathe/base/error.h"
#include "lathe/base/temporary_folder.h"
#include "lathe/text/tokenize/stream_decoder.h"
#include "lathe/text/tokenize/test_support.h"
#include "lathe/text/tokenize/tiktoken_file.h"

namespace lathe::tokenize {
namespace {

using Ids = std::vector<std::int32_t>;

class Golden : public testing::TestWithParam<const char*> {
 protected:
  std::string json_ = golden_text(std::string(GetParam()) + ".json");
  std::unique_ptr<Tokenizer> tokenizer_ = parse_tokenizer(json_);
  const Json& expected_ = golden_cases().get("trained", "cases").get(GetParam(), "trained");
  std::vector<std::string> texts_ = strings(golden_cases().get("texts", "cases"));
};

TEST_P(Golden, IdsAreThoseOfTokenizers) {
  const Json::Array& plain = expected_.get("ids", "trained").as_array("ids");
  const Json::Array& special = expected_.get("ids_with_special", "trained").as_array("ids");
  int differing = 0;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    EXPECT_EQ(tokenizer_->encode(texts_[i]), integers(plain[i])) << texts_[i];
    EXPECT_EQ(tokenizer_->encode(texts_[i], true), integers(special[i])) << texts_[i];
    EXPECT_EQ(tokenizer_->decode(integers(special[i])), texts_[i]);
    differing += integers(plain[i]) != integers(special[i]);
  }
  EXPECT_GT(differing, 5);  // the cases do hold special tokens
}

TEST_P(Golden, SavedIsByteForByteWhatTokenizersSaves) {
  EXPECT_EQ(tokenizer_->to_json(), json_);
  const TemporaryFolder folder;
  save_tokenizer(*tokenizer_, folder / "tokenizer.json");
  EXPECT_EQ(load_tokenizer(folder.path())->to_json(), json_);
}

TEST_P(Golden, AnyBytesSurvive) {
  EXPECT_TRUE(tokenizer_->is_lossless());
  Draw draw(11);
  for (int i = 0; i < 400; ++i) {
    std::string text = draw.bytes(draw.below(40)) + draw.text(draw.below(10));
    if (i % 5 == 0) text += "<|endoftext|>" + draw.bytes(3);
    EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(text, i % 2 == 0)), text);
  }
  std::string all;
  for (int b = 0; b < 256; ++b) all.push_back(static_cast<char>(b));
  EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(all)), all);
}

TEST_P(Golden, EveryIdIsFoundByItsBytes) {
  for (std::int32_t id = 0; id < tokenizer_->vocab_size(); ++id)
    EXPECT_EQ(tokenizer_->id_of(tokenizer_->token_bytes(id)), id);
  EXPECT_EQ(tokenizer_->id_of("no such token"), std::nullopt);
  EXPECT_EQ(tokenizer_->id_of("Ġ"), std::nullopt);  // bytes, not the alphabet's text
}

TEST_P(Golden, StreamedTextIsWholeCharacters) {
  const std::string text = "été 語語 😀😀 \xFF\xC3 Привет <|user|>\xF0\x9F";
  const Ids ids = tokenizer_->encode(text, true);
  StreamDecoder stream(*tokenizer_);
  std::string joined;
  for (const std::int32_t id : ids) {
    const std::string part = stream.push(id);
    EXPECT_EQ(unfinished_suffix(part), 0u);
    joined += part;
  }
  EXPECT_LT(joined.size(), text.size());
  EXPECT_EQ(joined + stream.finish(), text);
  EXPECT_EQ(stream.finish(), "");
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, Golden, testing::Values("gpt2", "gpt4"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Tokenizer, SpecialTokensAreTextUnlessAsked) {
  const auto tokenizer = parse_tokenizer(golden_text("gpt2.json"));
  EXPECT_EQ(tokenizer->encode("<|endoftext|><|user|>", true), (Ids{0, 1}));
  const Ids plain = tokenizer->encode("<|endoftext|>");
  EXPECT_GT(plain.size(), 1u);
  for (const std::int32_t id : plain) EXPECT_FALSE(tokenizer->is_special(id));
  EXPECT_TRUE(tokenizer->is_special(0));
  EXPECT_FALSE(tokenizer->is_special(-1));
  EXPECT_EQ(tokenizer->eos_id(), 0);
  EXPECT_EQ(tokenizer->bos_id(), std::nullopt);
  EXPECT_EQ(tokenizer->encode("", true), Ids{});
  EXPECT_THROW(tokenizer->decode(Ids{0, 100000}), Error);
  EXPECT_THROW(tokenizer->token_bytes(-1), Error);
}

/// A tokenizer.json of a few letters; each part may be replaced.
struct Small {
  std::string added, normalizer = "null", post = "null", decoder = "null", model_extra, extra;
  std::string pre = R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})";
  std::string vocab = R"("a":0,"b":1,"Ġ":2,"ab":3,"c":4)";
  std::string merges = R"(["a","b"])";

  std::string json() const {
    return R"({"version":"1.0","added_tokens":[)" + added + R"(],"normalizer":)" + normalizer +
           R"(,"pre_tokenizer":)" + pre + R"(,"post_processor":)" + post + R"(,"decoder":)" +
           decoder + extra + R"(,"model":{"type":"BPE")" + model_extra + R"(,"vocab":{)" + vocab +
           R"(},"merges":[)" + merges + "]}}";
  }
  Ids encode(std::string_view text, bool special = true) const {
    return parse_tokenizer(json())->encode(text, special);
  }
};

std::string added(int id, const std::string& content, const std::string& flags = "") {
  return R"({"id":)" + std::to_string(id) + R"(,"content":")" + content +
         R"(","single_word":false,"special":true)" + flags + "}";
}

TEST(Tokenizer, AddedTokensTakeTheLongestAndTheirSpaces) {
  Small small;
  small.added = added(5, "<x>") + "," + added(6, "<x>y") + "," +
                added(7, "<m>", R"(,"lstrip":true,"rstrip":true)");
  EXPECT_EQ(small.encode("a<x>yb<x>a"), (Ids{0, 6, 1, 5, 0}));
  EXPECT_EQ(small.encode("a \xC2\xA0<m> b"), (Ids{0, 7, 1}));
  EXPECT_EQ(small.encode("<x> <m>"), (Ids{5, 7}));
  EXPECT_FALSE(parse_tokenizer(small.json())->is_lossless());
}

TEST(Tokenizer, PrefixSpaceAndUnknownBytes) {
  Small small;
  small.pre = R"({"type":"ByteLevel","add_prefix_space":true,"use_regex":true})";
  EXPECT_EQ(small.encode("ab"), (Ids{2, 3}));
  EXPECT_EQ(small.encode(" ab"), (Ids{2, 3}));
  EXPECT_EQ(small.encode("azb"), (Ids{2, 3}));  // z has no token; then a and b are neighbours
  small.model_extra = R"(,"unk_token":"c")";
  EXPECT_EQ(small.encode("azzb"), (Ids{2, 0, 4, 4, 1}));
}

TEST(Tokenizer, TemplatesGiveWhatStandsAround) {
  Small small;
  small.post = R"({"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":)"
               R"("TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
               R"({"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],)"
               R"("pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[4],"tokens":["<s>"]},)"
               R"("</s>":{"id":"</s>","ids":[0,1],"tokens":["</s>"]}}}]})";
  const auto tokenizer = parse_tokenizer(small.json());
  EXPECT_EQ(tokenizer->encode("ab"), (Ids{3}));
  EXPECT_EQ(Ids(tokenizer->sequence_prefix().begin(), tokenizer->sequence_prefix().end()), Ids{4});
  EXPECT_EQ(Ids(tokenizer->sequence_suffix().begin(), tokenizer->sequence_suffix().end()),
            (Ids{0, 1}));
  EXPECT_EQ(parse_tokenizer(tokenizer->to_json())->to_json(), tokenizer->to_json());
}

TEST(Tokenizer, NormalizedTokensAreFoundInNormalizedText) {
  Small small;
  small.normalizer = R"({"type":"NFC"})";
  small.added = added(5, "\xC3\xA9", R"(,"normalized":true)");
  EXPECT_EQ(small.encode("ae\xCC\x81"
                         "b"),
            (Ids{0, 5, 1}));
  small.added = added(5, "\xC3\xA9", R"(,"normalized":false)");
  EXPECT_EQ(small.encode("a\xC3\xA9"
                         "b"),
            (Ids{0, 5, 1}));
}

struct Refused {
  const char* what;
  Small small;
  ErrorCode code;
  const char* named;  // in the message
};

std::vector<Refused> refused() {
  std::vector<Refused> all;
  const auto add = [&](const char* what, ErrorCode code, const char* named, auto change) {
    Refused one{what, {}, code, named};
    change(one.small);
    all.push_back(one);
  };
  const ErrorCode corrupt = ErrorCode::kCorrupt, unsupported = ErrorCode::kUnsupported;
  add("id twice", corrupt, "model.vocab: the id 1", [](Small& s) { s.vocab += R"(,"d":1)"; });
  add("token twice", corrupt, "'a'", [](Small& s) { s.vocab += R"(,"a":7)"; });
  add("huge id", corrupt, "2000000000", [](Small& s) { s.vocab += R"(,"d":2000000000)"; });
  add("id over 32 bits", corrupt, "model.vocab.d", [](Small& s) { s.vocab += R"(,"d":1e30)"; });
  add("id beyond int", corrupt, "model.vocab.d", [](Small& s) { s.vocab += R"(,"d":4294967296)"; });
  add("negative id", corrupt, "model.vocab.d", [](Small& s) { s.vocab += R"(,"d":-1)"; });
  add("merge of unknown", corrupt, "model.merges[0]: 'q'", [](Small& s) { s.merges = R"("a q")"; });
  add("merge to unknown", corrupt, "'ba'", [](Small& s) { s.merges = R"(["b","a"])"; });
  add("merge of three", corrupt, "model.merges[0]", [](Small& s) { s.merges = R"("a b c")"; });
  add("merge of one", corrupt, "model.merges[0]", [](Small& s) { s.merges = R"(["a"])"; });
  add("merge a number", corrupt, "model.merges[0]", [](Small& s) { s.merges = "7"; });
  add("added id taken", corrupt, "'<x>'", [](Small& s) { s.added = added(1, "<x>"); });
  add("added elsewhere", corrupt, "'ab'", [](Small& s) { s.added = added(9, "ab"); });
  add("added twice", corrupt, "'<x>'",
      [](Small& s) { s.added = added(5, "<x>") + "," + added(6, "<x>"); });
  add("added empty", corrupt, "no content", [](Small& s) { s.added = added(5, ""); });
  add("unknown unk", corrupt, "model.unk_token",
      [](Small& s) { s.model_extra = R"(,"unk_token":"<unk>")"; });
  add("key twice", corrupt, "'decoder'", [](Small& s) { s.extra = R"(,"decoder":null)"; });
  add("template id", corrupt, "id 77",
      [](Small& s) { s.post = R"({"type":"BertProcessing","sep":["x",77],"cls":["y",0]})"; });
  add("deep", corrupt, "64 levels",
      [](Small& s) { s.post = std::string(100000, '[') + std::string(100000, ']'); });
  add("dropout", unsupported, "model.dropout",
      [](Small& s) { s.model_extra = R"(,"dropout":0.1)"; });
  add("model key", unsupported, "model.novel", [](Small& s) { s.model_extra = R"(,"novel":1)"; });
  add("root key", unsupported, "tokenizer.novel", [](Small& s) { s.extra = R"(,"novel":1)"; });
  add("normalizer", unsupported, "normalizer.type",
      [](Small& s) { s.normalizer = R"({"type":"Novel"})"; });
  add("normalizer of a sequence", unsupported, "normalizer.normalizers[1].type", [](Small& s) {
    s.normalizer = R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Novel"}]})";
  });
  add("normalizer key", unsupported, "normalizer.novel",
      [](Small& s) { s.normalizer = R"({"type":"Lowercase","novel":1})"; });
  add("charsmap", corrupt, "normalizer.precompiled_charsmap",
      [](Small& s) { s.normalizer = R"({"type":"Precompiled","precompiled_charsmap":"//8="})"; });
  add("pre_tokenizer", unsupported, "pre_tokenizer.type",
      [](Small& s) { s.pre = R"({"type":"Novel"})"; });
  add("metaspace", corrupt, "pre_tokenizer.replacement",
      [](Small& s) { s.pre = R"({"type":"Metaspace","replacement":"__"})"; });
  add("scheme", unsupported, "prepend_scheme", [](Small& s) {
    s.pre = R"({"type":"Metaspace","replacement":"_","prepend_scheme":"last"})";
  });
  add("behavior", unsupported, "pre_tokenizer.behavior", [](Small& s) {
    s.pre = R"({"type":"Split","pattern":{"Regex":"a"},"behavior":"MergedWithAll"})";
  });
  add("fixed length", corrupt, "FixedLength.length",
      [](Small& s) { s.pre = R"({"type":"FixedLength","length":0})"; });
  add("decoder", unsupported, "decoder.type", [](Small& s) { s.decoder = R"({"type":"Novel"})"; });
  return all;
}

TEST(Tokenizer, WhatIsWrongIsNamed) {
  EXPECT_EQ(Small{}.encode("ab ab"), (Ids{3, 2, 3}));  // the unchanged file is fine
  for (const Refused& one : refused()) {
    try {
      parse_tokenizer(one.small.json());
      ADD_FAILURE() << one.what << ": accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), one.code) << one.what << ": " << error.message();
      EXPECT_NE(error.message().find(one.named), std::string::npos)
          << one.what << ": " << error.message();
    }
  }
}

TEST(Tokenizer, OtherModelsAndOtherFilesAreRefused) {
  for (const char* json : {"", "[]", "{", "7", "null", R"({"model":7})", R"({"model":{"type":7}})",
                           "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\xFF\":1}}}"}) {
    try {
      parse_tokenizer(json);
      ADD_FAILURE() << json;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << json << ": " << error.message();
    }
  }
  try {
    parse_tokenizer(R"({"version":"1.0","model":{"type":"Novel","vocab":[]}})");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_NE(error.message().find("Novel"), std::string::npos);
  }
  EXPECT_THROW(load_tokenizer("/no/such/tokenizer.json"), Error);
}

TEST(Tokenizer, TiktokenFiles) {
  std::string ranks;
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int b = 0; b < 256; ++b)
    ranks +=
        std::string() + kDigits[b >> 2] + kDigits[(b & 3) << 4] + "== " + std::to_string(b) + "\n";
  ranks += "YWI= 256\nYWJj 257\n";  // ab, abc
  const std::string meta =
      R"({"pat_str":"\\S+|\\s","special_tokens":{"<|endoftext|>":300},"name":"small"})";
  const auto tokenizer = from_tiktoken(ranks, meta);
  EXPECT_EQ(tokenizer->encode("abab abc<|endoftext|>", true), (Ids{256, 256, 32, 257, 300}));
  EXPECT_EQ(tokenizer->vocab_size(), 301);
  EXPECT_FALSE(tokenizer->has_id(299));
  EXPECT_EQ(tokenizer->eos_id(), 300);
  for (const char* bad : {"YWI=", "YWI= x", "Y*I= 3", "= 3", "YWI= -4", "YWI= 99999999999"}) {
    try {
      from_tiktoken(ranks + bad + "\n", meta);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find("line 259"), std::string::npos) << error.message();
    }
  }
}

}  // namespace
}  // namespace lathe::tokenize
