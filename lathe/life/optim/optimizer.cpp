#include "lathe/life/optim/optimizer.h"

#include <algorithm>
#include <cmath>

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/life/optim/adamw.h"
#include "lathe/life/optim/muon.h"

namespace lathe::optim {

void OptimizerConfig::fields(Fields& f) {
  f("kind", kind, "update rule",
    one_of({
#define LATHE_OPTIMIZER(name, type) #name,
#include "lathe/life/optim/optimizer_list.inc"
#undef LATHE_OPTIMIZER
    }));
  f("lr", lr, "peak learning rate (of AdamW, and of Muon where muon_lr is 0)", in_range(0, 100));
  f("beta1", beta1, "AdamW: decay of the mean gradient", in_range(0, 0.999999));
  f("beta2", beta2, "AdamW: decay of the mean squared gradient", in_range(0, 0.9999999));
  f("eps", eps, "AdamW: added to the root of the mean square", in_range(0, 1));
  f("weight_decay", weight_decay, "decoupled decay of matrices and untied heads, times the rate",
    in_range(0, 100));
  f("clip", clip, "largest norm of the whole gradient; 0: no clipping", in_range(0, 1e9));
  f("muon_lr", muon_lr, "Muon: learning rate of hidden matrices; 0: lr", in_range(0, 100));
  f("momentum", momentum, "Muon: decay of the mean gradient", in_range(0, 0.999999));
  f("nesterov", nesterov, "Muon: look ahead along the momentum");
  f("newton_schulz_steps", newton_schulz_steps, "Muon: iterations of the orthogonalisation",
    in_range(1, 20));
  f("adjust_lr", adjust_lr, "Muon: how the rate follows the shape of a matrix",
    one_of({"match_rms_adamw", "original"}));
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config,
                                          const std::vector<Parameter*>& parameters) {
#define LATHE_OPTIMIZER(name, type) \
  if (config.kind == #name) return std::make_unique<type>(config, parameters);
#include "lathe/life/optim/optimizer_list.inc"
#undef LATHE_OPTIMIZER
  fail(ErrorCode::kInvalidArgument, "optimizer.kind: there is no \"{}\"", config.kind);
}

bool decays(const Parameter& p) {
  return p.role() == autograd::Role::matrix || p.role() == autograd::Role::head;
}

std::vector<Tensor> gradient_squares(const std::vector<Parameter*>& parameters) {
  std::vector<Parameter*> sorted = parameters;
  std::sort(sorted.begin(), sorted.end(),
            [](const Parameter* a, const Parameter* b) { return a->name() < b->name(); });
  std::vector<Tensor> squares;
  for (const Parameter* p : sorted)
    if (p->trainable() && p->has_gradients()) squares.push_back(ops::sum_of_squares(p->gradient()));
  return squares;
}

double norm_of(const std::vector<Tensor>& squares) {
  double total = 0;
  for (const Tensor& square : squares) total += square.item();
  return std::sqrt(total);
}

double gradient_norm(const std::vector<Parameter*>& parameters) {
  return norm_of(gradient_squares(parameters));
}

}  // namespace lathe::optim
