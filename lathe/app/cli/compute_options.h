// Options that verbs which open a model share: how its products are computed, and what it keeps of
// the text so far.
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
    verb.add_option("--cache-type", cache,
                    "what keys and values of the text so far are kept in; auto: the type of "
                    "products, as in training. bf16 and q8_0 round them, take a half and 0.28 of "
                    "f32's memory, and make long texts faster, q8_0 the most")
        ->check(CLI::IsMember({"auto", "f32", "bf16", "q8_0"}));
  }
};

}  // namespace lathe::cli
