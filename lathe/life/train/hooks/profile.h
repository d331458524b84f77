#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lathe/engine/ops/recorders.h"
#include "lathe/life/train/hook.h"

namespace lathe::train {

/// Measures every op of the run and hands a table to `report` at its end.
class ProfileHook : public Hook {
 public:
  explicit ProfileHook(std::function<void(const std::string&)> report)
      : report_(std::move(report)) {}
  void on_start(Trainer&) override { scope_ = std::make_unique<ops::RecorderScope>(&profiler_); }
  void on_end(Trainer&, bool) override {
    scope_.reset();
    report_(profiler_.report());
  }

 private:
  std::function<void(const std::string&)> report_;
  ops::Profiler profiler_;
  std::unique_ptr<ops::RecorderScope> scope_;
};

}  // namespace lathe::train
