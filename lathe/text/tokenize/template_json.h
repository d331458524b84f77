// "post_processor" that puts a token before and one behind a text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lathe/text/tokenize/json_tree.h"

namespace lathe::tokenize {

struct NamedId {
  std::string name;
  std::int32_t id;
};

/// A TemplateProcessing; null where there is nothing to put.
Json template_json(const std::optional<NamedId>& before, const std::optional<NamedId>& behind);

}  // namespace lathe::tokenize
