#include "lathe/life/train/config.h"

#include <gtest/gtest.h>

#include "lathe/base/error.h"

namespace lathe::train {
namespace {

TrainConfig config(std::int64_t context, std::int64_t batch, std::int64_t micro = 0,
                   std::int64_t groups = 0) {
  TrainConfig c;
  c.context = context;
  c.batch_tokens = batch;
  c.micro_tokens = micro;
  c.reduce_groups = groups;
  c.tokens = 1000000;
  return c;
}

std::string message_of(TrainConfig c) {
  try {
    c.resolve();
  } catch (const Error& e) {
    return e.message();
  }
  return "";
}

TEST(TrainConfig, ChoosesGroupsAndMicroBatches) {
  TrainConfig c = config(512, 16384);
  c.resolve();
  EXPECT_EQ(c.reduce_groups, 1);
  EXPECT_EQ(c.micro_tokens, 4096);
  c = config(512, 262144);
  c.resolve();
  EXPECT_EQ(c.reduce_groups, 4);
  EXPECT_LE(c.rows_per_group() * c.context, 65536);
}

TEST(TrainConfig, RefusesWhatDoesNotDivide) {
  EXPECT_NE(message_of(config(512, 1000)).find("train.batch_tokens"), std::string::npos);
  EXPECT_NE(message_of(config(512, 4096, 700)).find("train.micro_tokens"), std::string::npos);
  EXPECT_NE(message_of(config(512, 4096, 0, 3)).find("train.reduce_groups"), std::string::npos);
  EXPECT_NE(message_of(config(512, 4096 * 64, 0, 1)).find("65,536"), std::string::npos)
      << message_of(config(512, 4096 * 64, 0, 1));
  TrainConfig none = config(512, 4096);
  none.tokens = 0;
  EXPECT_NE(message_of(none).find("train.tokens"), std::string::npos);
}

}  // namespace
}  // namespace lathe::train
