// Facts of this build; build_info.cpp is made by cmake/build_info.cmake at every build.
#pragma once

#include <string_view>

namespace lathe::cli {

struct BuildInfo {
  std::string_view version;    // "0.1.0"
  std::string_view commit;     // "a0bdbc8d1f02", with "+changes" where the tree was not clean
  std::string_view compiler;   // "GNU 12.2.0"
  std::string_view kind;       // "Release"
  std::string_view libraries;  // "fmt 9.1.0, spdlog 1.10.0, ..."
};
extern const BuildInfo kBuildInfo;

}  // namespace lathe::cli
