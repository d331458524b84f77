#include "lathe/text/tokenize/json_tree.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lathe/base/random.h"

namespace lathe::tokenize {
namespace {

// serde_json rounds twice, so that the shortest digits of a double may be read as its neighbour.
// (Some doubles it cannot give at all, so these come from digits, as in a file.)
TEST(JsonTree, NumbersComeBackAsTheyWere) {
  const RandomStream random(7, "json numbers");
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const double drawn = -20.0 * random.uniform(i) * std::pow(10.0, static_cast<double>(i % 9) - 4);
    const std::string digits = fmt::format("{:.{}e}", drawn, 10 + i % 10);
    const double number = parse_json(digits).as_number("x");
    std::string text;
    Json(number).write(text, 0);
    EXPECT_EQ(parse_json(text).as_number("x"), number) << text;
  }
}

}  // namespace
}  // namespace lathe::tokenize
