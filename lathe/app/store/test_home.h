// What tests of this folder share: a folder of their own, environment variables that are put back.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <string>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/temporary_folder.h"

namespace lathe::store {

class TestHome : public ::testing::Test {
 protected:
  TestHome() {
    set("LATHE_HOME", home);
    for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE",
                             "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HTTP_PROXY", "http_proxy"})
      set(name, "");
    set("HF_TOKEN_PATH", home + "/no_token");
  }
  ~TestHome() override {
    for (const auto& [name, value] : saved_)
      value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
  }

  void set(const std::string& name, const std::string& value) {
    const char* old = ::getenv(name.c_str());
    saved_.try_emplace(name, old == nullptr ? "" : old);
    ::setenv(name.c_str(), value.c_str(), 1);
  }

  const TemporaryFolder folder;
  const std::string& home = folder.path();

 private:
  std::map<std::string, std::string> saved_;
};

/// The message of the Error that `act` throws, with its code's name in front.
template <typename Act>
std::string error_of(Act&& act) {
  try {
    act();
  } catch (const Error& error) {
    return std::string(name(error.code())) + ": " + error.message();
  }
  return "no error";
}

template <typename Act>
::testing::AssertionResult says(Act&& act, const std::string& words) {
  const std::string said = error_of(act);
  if (said.find(words) != said.npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "expected '" << words << "', said: " << said;
}
#define EXPECT_SAYS(act, words) EXPECT_TRUE(::lathe::store::says([&] { act; }, words))

}  // namespace lathe::store
