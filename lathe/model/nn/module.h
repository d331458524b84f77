// Modules are plain structs that list their members once:
//
//   struct Mlp {
//     Linear up, down;
//     void fields(ModuleVisitor& v) { v("up", up); v("down", down); }
//   };
//
// Names joined by dots become checkpoint keys ("model.layers.0.mlp.up.weight").
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/engine/autograd/parameter.h"

namespace lathe::nn {

using autograd::Init;
using autograd::Parameter;
using autograd::Role;

class ModuleVisitor {
 public:
  using Visit = std::function<void(const std::string& path, Parameter&)>;
  explicit ModuleVisitor(Visit visit) : visit_(std::move(visit)) {}

  void operator()(const char* name, Parameter& parameter) { visit_(join(name), parameter); }

  template <typename T>
  void operator()(const char* name, std::optional<T>& member) {
    if (member.has_value()) (*this)(name, *member);
  }

  template <typename T>
  void operator()(const char* name, std::vector<T>& members) {
    for (std::size_t i = 0; i < members.size(); ++i)
      within(std::string(name) + "." + std::to_string(i), members[i]);
  }

  template <typename T>
    requires requires(T& module, ModuleVisitor& v) { module.fields(v); }
  void operator()(const char* name, T& module) {
    within(name, module);
  }

 private:
  template <typename T>
  void within(const std::string& name, T& module) {
    const std::string outer = prefix_;
    prefix_ = join(name);
    module.fields(*this);
    prefix_ = outer;
  }
  std::string join(const std::string& name) const {
    return prefix_.empty() ? name : prefix_ + "." + name;
  }

  Visit visit_;
  std::string prefix_;
};

}  // namespace lathe::nn
