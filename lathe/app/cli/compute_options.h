// Options that verbs which open a model share: how its products are computed.
#pragma once

#include <CLI/CLI.hpp>

#include "lathe/life/recipes/open_model.h"

namespace lathe::cli {

struct ComputeOptions : recipes::OpenOptions {
  void add_to(CLI::App& verb) {
    verb.add_option("--compute", compute,
                    "type of products; auto: as in training, else bf16 for weights stored so")
        ->check(CLI::IsMember({"auto", "f32", "bf16"}));
    verb.add_flag(
        "--exact", exact,
        "multiply quantised weights by the f32 values they stand for, not by int8; slower");
  }
};

}  // namespace lathe::cli
