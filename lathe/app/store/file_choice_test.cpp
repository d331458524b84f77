#include "lathe/app/store/file_choice.h"

#include <gtest/gtest.h>

#include "lathe/app/store/test_home.h"

namespace lathe::store {
namespace {

using Names = std::vector<std::string>;

TEST(FileChoiceTest, SafetensorsWithWhatBelongsToThem) {
  const FileChoice choice =
      choose_files({"README.md", "config.json", "model.safetensors", "onnx/model.onnx",
                    "pytorch_model.bin", "tokenizer.json", "x-Q4_K_M.gguf"},
                   "");
  EXPECT_EQ(choice.files, (Names{"config.json", "tokenizer.json", "model.safetensors"}));
  EXPECT_EQ(choice.kind, "safetensors");
  EXPECT_EQ(choice.weights, "");
}

TEST(FileChoiceTest, TheIndexTellsTheShards) {
  const FileChoice choice =
      choose_files({"config.json", "consolidated.safetensors", "model-00001-of-00002.safetensors",
                    "model-00002-of-00002.safetensors", "model.safetensors.index.json"},
                   "");
  EXPECT_EQ(choice.index, "model.safetensors.index.json");
  EXPECT_EQ(choice.files, (Names{"config.json", "model.safetensors.index.json"}));
  EXPECT_SAYS(choose_files({"a.safetensors", "b.safetensors"}, ""), "several safetensors");
}

TEST(FileChoiceTest, OneGguf) {
  const Names many{"m-Q2_K.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "mmproj-m-f16.gguf"};
  EXPECT_EQ(choose_files(many, "").weights, "m-Q4_K_M.gguf");
  EXPECT_EQ(choose_files(many, "q8_0").weights, "m-Q8_0.gguf");
  EXPECT_EQ(choose_files(many, "m-Q2_K.gguf").kind, "GGUF Q2_K");
  EXPECT_EQ(choose_files({"m.gguf"}, "").kind, "GGUF");
  EXPECT_SAYS(choose_files(many, "Q4_K_N"), "did you mean 'Q4_K_M'");
  EXPECT_SAYS(choose_files({"a-Q3_K_S.gguf", "b-Q2_K.gguf"}, ""), "choose one, for example ':a-Q3");
  EXPECT_SAYS(choose_files({"a-Q8_0.gguf", "b-Q8_0.gguf"}, "Q8_0"), "more than one file");
}

TEST(FileChoiceTest, PartsOfASplitFileBelongTogether) {
  const Names parts{"Q8_0/m-Q8_0-00002-of-00002.gguf", "Q8_0/m-Q8_0-00001-of-00002.gguf",
                    "m-Q2_K.gguf"};
  const FileChoice choice = choose_files(parts, "Q8_0");
  EXPECT_EQ(choice.weights, "Q8_0/m-Q8_0-00001-of-00002.gguf");
  EXPECT_EQ(choice.files.size(), 2u);
  EXPECT_EQ(choose_files(parts, "Q8_0/m-Q8_0-00002-of-00002.gguf").files.size(), 2u);
}

TEST(FileChoiceTest, NoPicklesAndNoCode) {
  EXPECT_SAYS(choose_files({"config.json", "pytorch_model.bin"}, ""), "Unsupported: the weights");
  EXPECT_SAYS(choose_files({"pytorch_model.bin"}, "pytorch_model.bin"), "is a pickle");
  EXPECT_SAYS(choose_named_files({"a.PT"}, {"a.PT"}), "is a pickle");
  EXPECT_SAYS(choose_named_files({"modeling.py"}, {"modeling.py"}), "is code");
  EXPECT_SAYS(choose_named_files({"lathe.json"}, {"lathe.json"}), "Lathe's own record");
  EXPECT_SAYS(choose_files({"README.md"}, ""), "NotFound: no safetensors and no GGUF");
  EXPECT_SAYS(choose_files({}, ""), "no files");
}

TEST(FileChoiceTest, NamedFiles) {
  const Names listing{"config.json", "x/y-F16.gguf"};
  EXPECT_EQ(choose_named_files(listing, {"config.json", "config.json"}).files.size(), 1u);
  EXPECT_EQ(choose_named_files(listing, {"x/y-F16.gguf"}).weights, "x/y-F16.gguf");
  EXPECT_SAYS(choose_named_files(listing, {"confg.json"}), "did you mean 'config.json'");
  EXPECT_SAYS(choose_named_files(listing, {"../config.json"}), "InvalidArgument");
}

TEST(FileChoiceTest, QuantisationsInNames) {
  EXPECT_EQ(quantisation_in("SmolLM2-135M-Instruct.Q4_1.gguf"), "Q4_1");
  EXPECT_EQ(quantisation_in("tiny_q8_0.gguf"), "Q8_0");
  EXPECT_EQ(quantisation_in("m-iq4_nl.gguf"), "IQ4_NL");
  EXPECT_EQ(quantisation_in("m-fp16.gguf"), "F16");
  EXPECT_EQ(quantisation_in("gpt-oss-20b-mxfp4.gguf"), "MXFP4");
  EXPECT_EQ(quantisation_in("Q4_K_M/m-UD-Q4_K_XL-00001-of-00002.gguf"), "Q4_K_XL");
  EXPECT_EQ(quantisation_in("Qwen2-0.5B.gguf"), "");
  EXPECT_EQ(quantisation_in(".gguf"), "");
}

}  // namespace
}  // namespace lathe::store
