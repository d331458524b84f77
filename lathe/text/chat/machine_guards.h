// What the Machine sets for a while and puts back.
#pragma once

#include "lathe/base/error.h"
#include "lathe/text/chat/machine.h"

namespace lathe::chat {

constexpr int kDeepestRun = 1500;  // statements and expressions inside each other

/// Counts how deep the machine is in itself, so that the stack is never used up.
class Machine::Depth {
 public:
  explicit Depth(Machine& machine) : depth_(machine.depth_) {
    if (++depth_ <= kDeepestRun) return;
    --depth_;
    fail(ErrorCode::kInvalidArgument, "the template goes more than {} levels into itself",
         kDeepestRun);
  }
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  int& depth_;
};

/// A fresh scope inside another one.
class Machine::ScopeGuard {
 public:
  explicit ScopeGuard(Machine& machine) : ScopeGuard(machine, machine.scope_) {}
  ScopeGuard(Machine& machine, Scope* parent)
      : machine_(machine), before_(machine.scope_), scope_(std::make_shared<Scope>()) {
    scope_->parent = parent;
    machine_.scope_ = scope_.get();
  }
  ~ScopeGuard() { machine_.scope_ = before_; }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Machine& machine_;
  Scope* before_;
  std::shared_ptr<Scope> scope_;
};

/// The state of a loop while it runs. A `loop` that is kept for longer sees a loop of its depth.
class Machine::LoopGuard {
 public:
  explicit LoopGuard(Machine& machine) : machine_(machine) {
    machine_.free_loops_.reserve(machine_.loops_.size() + 1);
    if (machine_.free_loops_.empty()) {
      machine_.free_loops_.push_back(&machine_.loops_.emplace_back());
      machine_.free_loops_.reserve(machine_.loops_.size());
    }
    loop_ = machine_.free_loops_.back();
    machine_.free_loops_.pop_back();
    *loop_ = LoopState();
  }
  ~LoopGuard() {
    *loop_ = LoopState();
    machine_.free_loops_.push_back(loop_);
  }
  LoopGuard(const LoopGuard&) = delete;
  LoopGuard& operator=(const LoopGuard&) = delete;

  LoopState& loop() const { return *loop_; }

 private:
  Machine& machine_;
  LoopState* loop_;
};

/// Sends the output elsewhere.
class OutputGuard {
 public:
  OutputGuard(Text*& out, Text& to) : out_(out), before_(out) { out_ = &to; }
  ~OutputGuard() { out_ = before_; }
  OutputGuard(const OutputGuard&) = delete;
  OutputGuard& operator=(const OutputGuard&) = delete;

 private:
  Text*& out_;
  Text* before_;
};

class CountGuard {
 public:
  explicit CountGuard(int& count) : count_(count) { ++count_; }
  ~CountGuard() { --count_; }
  CountGuard(const CountGuard&) = delete;
  CountGuard& operator=(const CountGuard&) = delete;

 private:
  int& count_;
};

}  // namespace lathe::chat
