#include "lathe/life/recipes/convert.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/memory_files.h"
#include "lathe/life/recipes/inspect.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/test_models.h"
#include "lathe/model/load.h"
#include "lathe/model/weights/gguf.h"
#include "lathe/model/weights/gguf_order.h"
#include "lathe/model/weights/gguf_write.h"
#include "lathe/model/weights/hf_folder.h"

namespace lathe::recipes {
namespace {

void expect_same_weights(const FileSystem& files, const std::string& a, const std::string& b) {
  const auto first = weights::HfWeights::open(a, files),
             second = weights::HfWeights::open(b, files);
  ASSERT_EQ(first.names().size(), second.names().size());
  for (const std::string& name : first.names()) {
    const weights::StoredTensor x = first.get(name), y = second.get(name);
    EXPECT_EQ(x.shape, y.shape) << name;
    ASSERT_EQ(x.tensor.dtype(), y.tensor.dtype()) << name;
    EXPECT_EQ(std::memcmp(x.tensor.bytes_begin(), y.tensor.bytes_begin(), x.tensor.bytes()), 0)
        << name;
  }
}

struct Case {
  const char* kind;
  DType dtype;
};
class ConvertEveryKind : public testing::TestWithParam<Case> {};

TEST_P(ConvertEveryKind, ThereAndBackLosesNothing) {
  MemoryFiles files;
  const model::ModelConfig config = small_config(GetParam().kind);
  write_model(files, "hf", config, GetParam().dtype);
  convert("hf", "m.gguf", {.files = &files});
  convert("m.gguf", "back", {.files = &files});
  expect_same_weights(files, "hf", "back");
  // Flags that mean nothing for a kind are read as they are by default: folder against folder.
  EXPECT_EQ(write_json(open_model_files("back", files).config),
            write_json(open_model_files("hf", files).config));
  convert("m.gguf", "again.gguf", {.files = &files});
  EXPECT_EQ(files.read_all("again.gguf"), files.read_all("m.gguf"));
}

/// The network computes the same from the file's weights as from the folder's.
TEST_P(ConvertEveryKind, GgufOpensAsTheSameNetwork) {
  MemoryFiles files;
  write_model(files, "hf", small_config(GetParam().kind), GetParam().dtype);
  convert("hf", "m.gguf", {.type = "f32", .files = &files});
  const auto logits = [&](const char* path) {
    const ModelFiles opened = open_model_files(path, files);
    const auto network = model::open_for_inference(opened.config, *opened.weights, DType::f32);
    return network->logits(network->hidden(model::TokenBatch::plain({{1, 5, 39, 2, 2, 7}})))
        .to_floats();
  };
  EXPECT_EQ(logits("hf"), logits("m.gguf"));
}

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const char* kind : {"gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "phi3",
                           "gemma2", "gemma3_text", "olmo2", "smollm3"})
    for (const DType dtype : {DType::f32, DType::bf16}) out.push_back({kind, dtype});
  return out;
}
INSTANTIATE_TEST_SUITE_P(Kinds, ConvertEveryKind, testing::ValuesIn(cases()), [](const auto& info) {
  return fmt::format("{}_{}", info.param.kind, name(info.param.dtype));
});

TEST(Convert, QuantisedValuesComeBackExactly) {
  MemoryFiles files;
  write_model(files, "hf", small_config("llama"), DType::bf16);
  convert("hf", "m.gguf", {.type = "q8_0", .files = &files});
  convert("m.gguf", "back", {.files = &files});
  const ModelFiles gguf = open_model_files("m.gguf", files);
  const ModelFiles back = open_model_files("back", files);
  const std::string name = "model.layers.1.self_attn.q_proj.weight";
  EXPECT_EQ(gguf.weights->get(name).quant, kernels::QuantType::q8_0);
  EXPECT_EQ(decoded(gguf.weights->get(name)), decoded(back.weights->get(name)));
  EXPECT_EQ(back.weights->get(name).tensor.dtype(), DType::f32);
}

/// llama.cpp looks for the tokens of Phi-3 in any file whose name says so, and stops without them.
TEST(Convert, ANameThatMisleadsReadersIsLeftOut) {
  FileSystem& files = real_files();
  const std::string root = testing::TempDir() + "lathe_phi3";
  files.remove_all(root);
  for (const char* name : {"my-Phi-3-run", "mine"}) {
    const std::string folder = join_path(root, name);
    write_model(files, folder, small_config("llama"), DType::f32);
    write_file_atomically(files, join_path(folder, "tokenizer.json"),
                          R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []},
                              "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}})");
  }
  const std::string file = join_path(root, "m.gguf");
  const ConvertReport report = convert(join_path(root, "my-Phi-3-run"), file, {});
  EXPECT_FALSE(weights::GgufFile::open(file).metadata().contains("general.name"));
  EXPECT_FALSE(report.notes.empty());
  convert(join_path(root, "mine"), file, {});
  EXPECT_EQ(weights::GgufFile::open(file).metadata().text("general.name"), "mine");
  files.remove_all(root);
}

TEST(Convert, UnknownMetadataIsKept) {
  MemoryFiles files;
  write_model(files, "hf", small_config("llama"), DType::f32);
  convert("hf", "m.gguf", {.files = &files});
  const auto file = weights::GgufFile::open("m.gguf", files);
  weights::GgufMetadata metadata = file.metadata();
  metadata.set("somebody.else", std::int32_t{-3});
  std::vector<weights::GgufTensorSource> tensors;
  for (const weights::GgufTensor& t : file.tensors())
    tensors.push_back(
        {t.name, t.type, t.shape, [&file, &t](const auto& write) {
           write({reinterpret_cast<const char*>(file.tensor(t).bytes_begin()), t.bytes});
         }});
  const auto writer = files.open_for_write("other.gguf", WriteMode::truncate);
  write_gguf(*writer, "other.gguf", metadata, tensors);
  writer->close();
  convert("other.gguf", "small.gguf", {.type = "q4_0", .files = &files});
  const auto out = weights::GgufFile::open("small.gguf", files);
  EXPECT_EQ(out.metadata().integer("somebody.else"), -3);
  EXPECT_EQ(out.metadata().integer("general.file_type"), 2);
  EXPECT_EQ(out.metadata().integer("general.quantization_version"), 2);
  EXPECT_EQ(out.find("blk.0.ffn_up.weight")->type->name, "Q4_0");
  EXPECT_EQ(out.find("blk.0.attn_norm.weight")->type->name, "F32");
}

TEST(Convert, AFailedWriteLeavesTheOldFile) {
  MemoryFiles files;
  write_model(files, "hf", small_config("llama"), DType::f32);
  convert("hf", "m.gguf", {.type = "bf16", .files = &files});
  const std::string before = files.read_all("m.gguf");
  for (int at = 0; at < 1000; ++at) {
    FaultyFiles faulty(files, {FaultyFiles::Fault::error_stays, at, ENOSPC});
    try {
      convert("hf", "m.gguf", {.type = "q8_0", .files = &faulty});
      ASSERT_GT(at, 10);
      return;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo);
    }
    const std::string now = files.read_all("m.gguf");
    if (now == before) continue;
    // Only the very last step, making the rename safe, comes after the new file is there.
    EXPECT_EQ(weights::GgufFile::open("m.gguf", files).find("blk.0.ffn_up.weight")->type->name,
              "Q8_0");
    write_file_atomically(files, "m.gguf", before);
  }
  FAIL();
}

TEST(Convert, StopsWithoutATrace) {
  MemoryFiles files;
  write_model(files, "hf", small_config("llama"), DType::f32);
  StopSource stop;
  stop.request();
  for (const char* target : {"m.gguf", "folder"}) {
    try {
      convert("hf", target, {.files = &files, .stop = stop.token()});
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCancelled);
    }
    EXPECT_FALSE(files.exists(target));
    EXPECT_FALSE(files.exists(std::string(target) + ".part"));
  }
}

TEST(Convert, RefusesWhatItWouldDestroyOrCannotWrite) {
  MemoryFiles files;
  write_model(files, "hf", small_config("llama"), DType::f32);
  files.make_directories("busy");
  files.open_for_write("busy/precious", WriteMode::truncate)->close();
  EXPECT_THROW(convert("hf", "busy", {.files = &files}), Error);
  EXPECT_THROW(convert("hf", "busy/precious", {.files = &files}), Error);
  EXPECT_THROW(convert("hf", "x", {.type = "q8_0", .files = &files}), Error);
  EXPECT_THROW(convert("hf", "x.gguf", {.type = "q9", .files = &files}), Error);
  EXPECT_THROW(convert("nothing", "x.gguf", {.files = &files}), Error);
  EXPECT_FALSE(files.exists("x.gguf"));
}

TEST(Inspect, TellsWhatAFileHolds) {
  MemoryFiles files;
  write_model(files, "hf", small_config("qwen3"), DType::f32);
  convert("hf", "m.gguf", {.type = "q8_0", .files = &files});
  const Inspection folder = inspect("hf", files), file = inspect("m.gguf", files);
  EXPECT_EQ(folder.parameters, file.parameters);
  EXPECT_EQ(file.container, "GGUF version 3");
  EXPECT_EQ(file.cache_bytes_per_token, 2 * 2 * 2 * 16 * 4);
  EXPECT_EQ(file.tokenizer, "none");
  const Tree json = parse_json(print_json(file.to_tree()), "json");
  EXPECT_EQ(json.find("tensors")->items.size(), file.tensors.size());
  EXPECT_EQ(json.find("model")->find("kind")->text, "qwen3");
}

}  // namespace
}  // namespace lathe::recipes
