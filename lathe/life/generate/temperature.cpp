#include "lathe/life/generate/temperature.h"

#include <algorithm>
#include <cmath>

namespace lathe::generate {

void heat(Candidates& c, double temperature) {
  if (temperature <= 0) {
    c.items = {c.items[c.likeliest()]};
    c.order = Candidates::Order::kFalling;
    return;
  }
  for (Candidate& x : c.items) x.logit = static_cast<float>(x.logit / temperature);
}

void heat_by_entropy(Candidates& c, double temperature, double range, double exponent) {
  if (c.items.size() <= 1) return;
  c.softmax();
  double entropy = 0;
  for (const Candidate& x : c.items)
    if (x.p > 0) entropy -= x.p * std::log(x.p);
  const double part = entropy / std::log(static_cast<double>(c.items.size()));
  const double low = std::max(0.0, temperature - range);
  heat(c, low + (temperature + range - low) * std::pow(part, exponent));
}

}  // namespace lathe::generate
